// Fork handlers that allocate: one set from the first constructor, one from main. They run in all
// three places of a fork, with other threads allocating. With liblate.so, preloaded too, handlers
// that were registered before those of the malloc could be by an ordinary constructor.
#include <pthread.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

namespace {

std::atomic<bool> stop{false};
Block carried;

void Prepare() {
  carried.Allocate(5000, 1);
  Churn(1, 200);
}

void After() {
  carried.Free();
  Churn(2, 200);
}

void PrepareToo() { Churn(3, 200); }

__attribute__((constructor(101))) void FirstConstructor() {
  CHECK(pthread_atfork(Prepare, After, After) == 0);
}

}  // namespace

int main() {
  CHECK(pthread_atfork(PrepareToo, PrepareToo, PrepareToo) == 0);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; ++i) {
    threads.emplace_back([i] {
      for (uint64_t round = 0; !stop; ++round) Churn(round + i * 1000, 500);
    });
  }
  for (int i = 0; i < 100; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      Churn(5, 500);
      _exit(0);
    }
    CHECK(child > 0);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}
