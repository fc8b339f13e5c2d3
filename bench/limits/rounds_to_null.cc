// Threads that fill the heap together until each of them has been told NULL, free everything, and
// start again.
//
//   rounds_to_null THREADS ROUNDS MOST
//
// MOST bounds the payload of each thread, in bytes, in case there is no limit. Prints, for each
// round, `round` and the payload in bytes when the last thread was told NULL.

#include <atomic>

#include "bench/limits/probe.h"

namespace {

constexpr size_t kMostThreads = 1024;

size_t most_per_thread = 0;
size_t rounds = 0;
std::atomic<size_t> payload{0};
pthread_barrier_t everybody;

// Mostly small blocks, some of a few KiB, now and then one of 64 KiB.
size_t SizeOf(uint32_t number) {
  const uint32_t mixed = number * 2654435761u;
  if (mixed >> 24 == 0) return size_t{64} << 10;
  return 16 + ((mixed >> 8) & ((size_t{16} << ((mixed >> 20) % 9)) - 1));
}

void* Work(void* argument) {
  const auto seed = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(argument));
  for (size_t round = 0; round < rounds; round++) {
    probe::BlockList blocks;
    pthread_barrier_wait(&everybody);
    uint32_t number = seed * 100003;
    // NULL for a large block leaves room for small ones: full is when 16 bytes are refused.
    while (blocks.payload() < most_per_thread) {
      if (!blocks.Add(SizeOf(number++)) && !blocks.Add(16)) break;
    }
    payload += blocks.payload();
    pthread_barrier_wait(&everybody);
    blocks.FreeAll();
    pthread_barrier_wait(&everybody);
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = probe::Argument(argc, argv, 1);
  rounds = probe::Argument(argc, argv, 2);
  most_per_thread = probe::Argument(argc, argv, 3);
  if (count > kMostThreads) probe::Fail("too many threads", 0);
  pthread_barrier_init(&everybody, nullptr, static_cast<unsigned>(count) + 1);
  static pthread_t threads[kMostThreads];
  for (size_t i = 0; i < count; i++) {
    const int error = probe::StartThread(&threads[i], size_t{64} << 10, Work,
                                         reinterpret_cast<void*>(uintptr_t{i} + 1));
    if (error != 0) probe::Fail("pthread_create", error);
  }
  for (size_t round = 0; round < rounds; round++) {
    pthread_barrier_wait(&everybody);
    pthread_barrier_wait(&everybody);
    probe::Print("round", payload.exchange(0));
    pthread_barrier_wait(&everybody);
  }
  for (size_t i = 0; i < count; i++) pthread_join(threads[i], nullptr);
  return 0;
}
