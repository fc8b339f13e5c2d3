// A program that is built with a sanitizer, keeps that one's malloc, and uses Prairie's beside it.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "prairie/prairie.h"

namespace {

void Check(bool condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not true: %s\n", what);
  _exit(1);
}

void Work(int seed) {
  std::vector<unsigned char*> blocks;
  for (size_t i = 0; i < 3000; ++i) {
    const size_t size = i % 100 == 0 ? 100000 + i * 100 : 1 + i * 7 % 3000;
    auto* const block = static_cast<unsigned char*>(prairie_malloc(size));
    Check(block != nullptr, "there is memory");
    memset(block, seed, size);
    blocks.push_back(block);
    if (i % 3 == 0) {
      auto* const longer = static_cast<unsigned char*>(prairie_realloc(blocks[i / 2], 5000));
      Check(longer != nullptr && longer[0] == seed, "realloc keeps the contents");
      blocks[i / 2] = longer;
    }
  }
  for (unsigned char* block : blocks) {
    Check(block[0] == seed, "objects keep their contents");
    prairie_free(block);
  }
  prairie_trim();
}

}  // namespace

// With an argument: starts again under `ulimit -v`, in KiB.
int main(int argc, char** argv) {
  if (argc > 1) {
    const rlim_t limit = strtoul(argv[1], nullptr, 10) * 1024;
    const rlimit both = {limit, limit};
    Check(setrlimit(RLIMIT_AS, &both) == 0, "setrlimit");
    execl("/proc/self/exe", argv[0], static_cast<char*>(nullptr));
    Check(false, "execl");
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(Work, i + 1);
  for (std::thread& thread : threads) thread.join();
  void* const own = malloc(100);
  Check(own != nullptr && prairie_owns(own) == 0, "malloc is the sanitizer's");
  free(own);
  return 0;
}
