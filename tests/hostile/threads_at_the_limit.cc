// Threads that fill the memory together until malloc says no to each; then threads whose first
// malloc ever happens while the heap is full; then all is freed and everything works. The driver
// sets the limit; argument: it, in bytes.
#include <pthread.h>
#include <sys/mman.h>

#include <iterator>
#include <new>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kThreads = 8;
constexpr size_t kStack = 64 * kKilobyte;

struct Node {
  Node* next;
};

pthread_barrier_t barrier;
pthread_barrier_t gone;  // The newcomers are.
Node* filled[kThreads];

void* FillUntilFull(void* number) {
  const auto n = reinterpret_cast<uintptr_t>(number);
  Random random(n);
  for (int refused = 0; refused < 100;) {
    const size_t size = 16 + random.Below(random.Below(50) == 0 ? 200000 : 2000);
    void* block = malloc(size);
    if (block == nullptr) {
      CHECK(errno == ENOMEM);
      ++refused;
      continue;
    }
    memset(block, 1, size);
    filled[n] = new (block) Node{filled[n]};
  }
  pthread_barrier_wait(&barrier);  // All are at the limit, and the newcomers may begin.
  pthread_barrier_wait(&gone);
  while (filled[n] != nullptr) {
    Node* next = filled[n]->next;
    free(filled[n]);
    filled[n] = next;
  }
  return nullptr;
}

// Half of them ask for a large block first: then it is that for which there is no thread cache.
void* FirstMalloc(void* number) {
  constexpr size_t kSizes[] = {16, 100, 5000, 100000, 3000000};
  const bool large_first = reinterpret_cast<uintptr_t>(number) % 2 != 0;
  pthread_barrier_wait(&barrier);
  for (size_t i = 0; i < std::size(kSizes); ++i) {
    const size_t size = kSizes[large_first ? std::size(kSizes) - 1 - i : i];
    errno = 0;
    void* block = malloc(size);
    if (block == nullptr) CHECK(errno == ENOMEM);
    free(block);
  }
  return nullptr;
}

pthread_t Start(void* stack, void* (*run)(void*), uintptr_t number) {
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstack(&attributes, stack, kStack) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, &attributes, run, reinterpret_cast<void*>(number)) == 0);
  return thread;
}

}  // namespace

int main() {
  // The stacks exist before, so that it is malloc that meets the limit, not pthread_create.
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  auto* stacks = static_cast<char*>(
      mmap(nullptr, 2 * kThreads * kStack, PROT_READ | PROT_WRITE, flags, -1, 0));
  CHECK(stacks != MAP_FAILED);
  for (int round = 0; round < 4; ++round) {
    CHECK(pthread_barrier_init(&barrier, nullptr, 2 * kThreads) == 0);
    CHECK(pthread_barrier_init(&gone, nullptr, kThreads + 1) == 0);
    pthread_t fillers[kThreads];
    pthread_t newcomers[kThreads];
    // Newcomers first: starting a thread takes memory too.
    for (uintptr_t i = 0; i < kThreads; ++i) {
      newcomers[i] = Start(stacks + (kThreads + i) * kStack, FirstMalloc, i);
    }
    for (uintptr_t i = 0; i < kThreads; ++i) {
      fillers[i] = Start(stacks + i * kStack, FillUntilFull, i);
    }
    for (pthread_t thread : newcomers) CHECK(pthread_join(thread, nullptr) == 0);
    pthread_barrier_wait(&gone);
    for (pthread_t thread : fillers) CHECK(pthread_join(thread, nullptr) == 0);
    CHECK(pthread_barrier_destroy(&barrier) == 0);
    CHECK(pthread_barrier_destroy(&gone) == 0);
    Churn(static_cast<uint64_t>(round), 10000, kMegabyte);
    void* big = malloc(20 * kMegabyte);
    CHECK(big != nullptr);
    memset(big, 1, 20 * kMegabyte);
    free(big);
  }
  return 0;
}
