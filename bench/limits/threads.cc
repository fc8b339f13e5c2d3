// Starts threads, one after the other; each allocates a hundred blocks of up to 4000 bytes, 200 KB
// in all, and keeps them until the last one has its own. So a thread's memory competes with the
// next one's stack.
//
//   threads COUNT STACK_KIB
//
// Prints `threads COUNT` and exits with 0 when all got what they wanted.

#include <semaphore.h>

#include <string>

#include "bench/limits/probe.h"

namespace {

constexpr size_t kBlocks = 100;
constexpr size_t kMostThreads = 1024;

sem_t filled;
pthread_barrier_t everybody;

size_t SizeOf(size_t number) { return 16 + number * 2654435761u % 3985; }

void* Work(void*) {
  std::string blocks[kBlocks];
  for (size_t i = 0; i < kBlocks; i++) blocks[i].assign(SizeOf(i), static_cast<char>(i));
  sem_post(&filled);
  pthread_barrier_wait(&everybody);
  for (size_t i = 0; i < kBlocks; i++) {
    if (blocks[i].find_first_not_of(static_cast<char>(i)) != std::string::npos) {
      probe::Fail("a block was overwritten", 0);
    }
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = probe::Argument(argc, argv, 1);
  const size_t stack_bytes = probe::Argument(argc, argv, 2) << 10;
  if (count > kMostThreads) probe::Fail("too many threads", 0);
  sem_init(&filled, 0, 0);
  pthread_barrier_init(&everybody, nullptr, static_cast<unsigned>(count) + 1);
  static pthread_t threads[kMostThreads];
  for (size_t i = 0; i < count; i++) {
    const int error = probe::StartThread(&threads[i], stack_bytes, Work, nullptr);
    if (error != 0) probe::Fail("pthread_create", error);
    while (sem_wait(&filled) != 0) {
    }
  }
  pthread_barrier_wait(&everybody);
  for (size_t i = 0; i < count; i++) pthread_join(threads[i], nullptr);
  probe::Print("threads", count);
  return 0;
}
