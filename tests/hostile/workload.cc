// An ordinary program with threads and a child, for surroundings that the driver makes strange.
// With the argument "elsewhere" it also checks that the heap is not at its usual address.
#include <sys/wait.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

namespace {

void Work(uint64_t seed) {
  Churn(seed, 30000);
  Churn(seed + 1, 1000, 4 * kMegabyte);
  std::vector<std::string> texts;
  for (size_t i = 0; i < 3000; ++i) texts.emplace_back(i % 200, 'x');
  for (size_t i = 0; i < 3000; ++i) CHECK(texts[i].size() == i % 200);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "elsewhere") == 0) {
    for (size_t size : {size_t{100}, size_t{50000}, 30 * kMegabyte}) {
      Block block;
      block.Allocate(size, 1);
      CHECK(reinterpret_cast<uintptr_t>(block.address) - kArenaHint >= 64 * kMegabyte);
      block.Free();
    }
  }
  Work(1);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; ++i) threads.emplace_back(Work, i * 10);
  const pid_t child = fork();
  if (child == 0) {
    Work(100);
    _exit(0);
  }
  CHECK(child > 0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  for (std::thread& thread : threads) thread.join();
  return 0;
}
