// Threads that never allocate and end detached: after their last destructor the C library frees in
// them what belonged to a stack, and a cache made for that would never be taken back. Argument:
// whose stack; "own": the thread's, which the program provides; "cached": one of those of ended
// threads, of which the C library keeps 40 MiB.
#include <pthread.h>
#include <sys/mman.h>

#include "prairie/prairie.h"
#include "tests/hostile/hostile.h"

// Of the preloaded library.
extern "C" int prairie_get_stats(struct prairie_stats* stats, size_t size) __attribute__((weak));

namespace {

constexpr int kRounds = 10;
constexpr int kThreads = 40;

pthread_barrier_t all_run;

void* Run(void*) {
  pthread_barrier_wait(&all_run);
  return nullptr;
}

size_t Caches() {
  prairie_stats stats;
  CHECK(prairie_get_stats(&stats, sizeof stats) == 0);
  return stats.thread_count;
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2 && prairie_get_stats != nullptr);
  const bool provides = strcmp(argv[1], "own") == 0;
  const size_t stack_bytes = provides ? 128 * kKilobyte : 2 * kMegabyte;
  char* stacks = nullptr;
  if (provides) {
    void* const all = mmap(nullptr, kThreads * stack_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    stacks = static_cast<char*>(all);
  }
  CHECK(pthread_barrier_init(&all_run, nullptr, kThreads) == 0);
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kThreads; ++i) {
      pthread_attr_t attributes;
      CHECK(pthread_attr_init(&attributes) == 0);
      CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
      if (provides) {
        CHECK(pthread_attr_setstack(&attributes, stacks + i * stack_bytes, stack_bytes) == 0);
      } else {
        CHECK(pthread_attr_setstacksize(&attributes, stack_bytes) == 0);
      }
      pthread_t thread;
      CHECK(pthread_create(&thread, &attributes, Run, nullptr) == 0);
      CHECK(pthread_attr_destroy(&attributes) == 0);
    }
    while (Threads() > 1) usleep(1000);
  }
  CHECK(Caches() == 1);  // of the main thread
  return 0;
}
