// In 32 bits the whole address space can be filled. Takes blocks until malloc says no, asks the
// kernel and new threads for what is left, frees, and goes on; several times. In 64 bits the driver
// sets a limit. Argument: the size of the blocks.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "tests/hostile/hostile.h"

namespace {

struct Node {
  Node* next;
  size_t mark;
};

Node* filled = nullptr;

size_t Fill(size_t size) {
  size_t total = 0;
  for (;;) {
    errno = 0;
    Node* const node = static_cast<Node*>(malloc(size));
    if (node == nullptr) break;
    *node = {filled, total ^ reinterpret_cast<uintptr_t>(node)};
    filled = node;
    total += size;
  }
  CHECK(errno == ENOMEM);
  return total;
}

void FreeAll(size_t total, size_t size) {
  while (filled != nullptr) {
    Node* const next = filled->next;
    total -= size;
    CHECK(filled->mark == (total ^ reinterpret_cast<uintptr_t>(filled)));  // Nobody wrote there.
    free(filled);
    filled = next;
  }
  CHECK(total == 0);
}

void* Work(void* seed) {
  Churn(reinterpret_cast<uintptr_t>(seed), 20000, kMegabyte);
  return nullptr;
}

// The first allocation of a thread whose heap is full.
void* TakeOne(void*) {
  errno = 0;
  void* const block = malloc(5000);
  CHECK(block != nullptr || errno == ENOMEM);
  free(block);
  return nullptr;
}

// Threads, which need stacks, and a mapping of the program's own.
void OthersHaveRoom() {
  pthread_t threads[8];
  for (uintptr_t i = 0; i < 8; ++i) {
    CHECK(pthread_create(&threads[i], nullptr, Work, reinterpret_cast<void*>(i)) == 0);
  }
  for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  constexpr size_t kSize = 64 * kMegabyte;
  void* const mapping =
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapping != MAP_FAILED);
  CHECK(munmap(mapping, kSize) == 0);
}

// The main thread's stack still grows, whatever has been mapped below it.
__attribute__((noinline)) int UseStack(int depth) {
  volatile char frame[65536];
  frame[0] = static_cast<char>(depth);
  return depth == 0 ? frame[0] : UseStack(depth - 1) + frame[0];
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2);
  const size_t size = strtoul(argv[1], nullptr, 10);
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  const bool limited = limit.rlim_cur != RLIM_INFINITY;
  CHECK(limited || kNarrowAddresses);
  const size_t goal = limited ? limit.rlim_cur / 100 * 75 : 2500 * kMegabyte;
  OthersHaveRoom();
  size_t first = 0;
  for (int round = 0; round < 3; ++round) {
    const size_t total = Fill(size);
    CHECK(total >= goal);
    if (round == 0) first = total;
    CHECK(total >= first / 100 * 90);
    if (!limited) UseStack(100);  // It counts toward the limit too.
    pthread_t thread;
    const int error = pthread_create(&thread, nullptr, TakeOne, nullptr);
    CHECK(error == 0 || error == EAGAIN || error == ENOMEM);
    if (error == 0) {
      CHECK(pthread_join(thread, nullptr) == 0);
    }
    FreeAll(total, size);
    OthersHaveRoom();
    const size_t half = limited ? limit.rlim_cur / 2 : 1200 * kMegabyte;
    char* const big = static_cast<char*>(malloc(half));
    CHECK(big != nullptr);
    big[0] = big[half - 1] = 1;
    free(big);
  }
  return 0;
}
