// A thousand threads alive at once, on the smallest stacks that the system allows, each with blocks
// of its own. Half of the blocks are freed by their owner, half by the main thread.
#include <pthread.h>

#include <vector>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kThreads = 1000;
constexpr int kBlocks = 40;

pthread_barrier_t all_allocated;
Block blocks[kThreads][kBlocks];

void* Run(void* number) {
  const auto n = static_cast<int>(reinterpret_cast<uintptr_t>(number));
  for (int i = 0; i < kBlocks; ++i) {
    blocks[n][i].Allocate(static_cast<size_t>(8 + (i * i * 7 + n) % 2000),
                          static_cast<unsigned char>(n + i));
  }
  blocks[n][0].Free();
  blocks[n][0].Allocate(50000, static_cast<unsigned char>(n));
  pthread_barrier_wait(&all_allocated);
  for (int i = 0; i < kBlocks; i += 2) blocks[n][i].Free();
  return nullptr;
}

}  // namespace

int main() {
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstacksize(&attributes,
                                  static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN))) == 0);
  CHECK(pthread_barrier_init(&all_allocated, nullptr, kThreads + 1) == 0);
  std::vector<pthread_t> threads(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    CHECK(pthread_create(&threads[static_cast<size_t>(i)], &attributes, Run,
                         reinterpret_cast<void*>(intptr_t{i})) == 0);
  }
  pthread_barrier_wait(&all_allocated);
  for (auto& row : blocks) {
    for (int i = 1; i < kBlocks; i += 2) row[i].Free();
  }
  for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  Churn(1, 20000);
  return 0;
}
