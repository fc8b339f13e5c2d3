// Sets RLIMIT_AS when the heap is in use: stacks and mappings fit below it, the heap fills it,
// gives back what is freed, and grows again when the limit is raised.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <vector>

#include "tests/hostile/hostile.h"

namespace {

void SetLimit(rlim_t bytes) {
  rlimit limit;
  CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  limit.rlim_cur = bytes;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

void* UseAStack(void*) {
  char frame[1000];
  memset(frame, 1, sizeof frame);
  free(malloc(static_cast<size_t>(frame[0])));
  return nullptr;
}

void MapAndStart() {
  void* const mapping = mmap(nullptr, 8 * kMegabyte, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapping != MAP_FAILED);
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, UseAStack, nullptr) == 0);
  CHECK(pthread_join(thread, nullptr) == 0);
  CHECK(munmap(mapping, 8 * kMegabyte) == 0);
}

// Fills the heap with blocks of a mebibyte.
int Fill(std::vector<unsigned char*>& blocks) {
  int count = 0;
  for (;; ++count) {
    auto* const block = static_cast<unsigned char*>(malloc(kMegabyte));
    if (block == nullptr) return count;
    memset(block, static_cast<int>(blocks.size()), kMegabyte);
    blocks.push_back(block);
  }
}

}  // namespace

int main() {
  std::vector<unsigned char*> blocks;
  blocks.reserve(1000);
  for (int i = 0; i < 64; ++i) {
    blocks.push_back(static_cast<unsigned char*>(malloc(kMegabyte)));
    memset(blocks.back(), i, kMegabyte);
  }
  SetLimit(256 * kMegabyte);
  MapAndStart();
  CHECK(Fill(blocks) > 150);
  for (size_t i = 1; i < blocks.size(); i += 4) {
    free(blocks[i]);
    blocks[i] = nullptr;
  }
  MapAndStart();
  SetLimit(512 * kMegabyte);
  CHECK(Fill(blocks) > 256);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i] == nullptr) continue;
    for (size_t at = 0; at < kMegabyte; at += 4093) {
      CHECK(blocks[i][at] == static_cast<unsigned char>(i));
    }
    free(blocks[i]);
  }
  return 0;
}
