// Forks while another thread allocates under a lock that a library takes for the time of a fork. If
// the allocator takes its locks before that one, the fork waits for the thread and the thread for
// it.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "tests/hostile/hostile.h"

int main() {
  auto* const lock = static_cast<pthread_mutex_t*>(dlsym(RTLD_DEFAULT, "library_lock"));
  CHECK(lock != nullptr);
  std::atomic<bool> stop{false};
  std::thread other([&] {
    for (uint64_t round = 0; !stop; ++round) {
      CHECK(pthread_mutex_lock(lock) == 0);
      Churn(round, 2000);
      CHECK(pthread_mutex_unlock(lock) == 0);
      usleep(50);  // A mutex is not fair: the fork would starve.
    }
  });
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(child > 0);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = true;
  other.join();
  return 0;
}
