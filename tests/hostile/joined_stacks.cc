// Joins threads whose stacks are the program's: the C library frees what belongs to one while it
// holds the lock of all stacks, which a new thread needs. Whichever of these frees makes Prairie
// look for a thread of its own (background=1), it starts none there. Each try is a child of fork,
// which has none yet, after one more allocation. Should one hang, the driver's time is over.
#include <pthread.h>
#include <sys/wait.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kTries = 16;
constexpr int kThreads = 16;
constexpr size_t kStackBytes = 128 * kKilobyte;

alignas(64) char stacks[kThreads][kStackBytes];

void* Run(void*) { return nullptr; }

void JoinThreads() {
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstack(&attributes, stacks[i], kStackBytes) == 0);
    CHECK(pthread_create(&threads[i], &attributes, Run, nullptr) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
  }
  for (const pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
}

}  // namespace

int main() {
  for (int allocations = 0; allocations < kTries; ++allocations) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      // Each of another size, so that none finds what the one before it has left.
      for (int i = 0; i < allocations; ++i) {
        CHECK(malloc(static_cast<size_t>(1000 + 1500 * i)) != nullptr);
      }
      JoinThreads();
      _exit(0);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
  return 0;
}
