// Signals interrupt threads inside malloc and free, thousands of times; the handlers do not
// allocate.
#include <pthread.h>
#include <sys/time.h>

#include <atomic>
#include <csignal>

#include "tests/hostile/hostile.h"

namespace {

std::atomic<int> alarms{0};
std::atomic<int> kicks{0};
std::atomic<bool> stop{false};

void OnAlarm(int) { alarms.fetch_add(1, std::memory_order_relaxed); }
void OnKick(int) { kicks.fetch_add(1, std::memory_order_relaxed); }

void* Run(void* seed) {
  for (uint64_t round = 0; !stop; ++round)
    Churn(reinterpret_cast<uintptr_t>(seed) + round, 500, 2 * kMegabyte);
  return nullptr;
}

}  // namespace

int main() {
  struct sigaction action = {};
  action.sa_handler = OnAlarm;  // Without SA_RESTART: system calls fail with EINTR where they can.
  CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
  action.sa_handler = OnKick;
  CHECK(sigaction(SIGUSR1, &action, nullptr) == 0);
  const itimerval often = {{0, 500}, {0, 500}};
  CHECK(setitimer(ITIMER_REAL, &often, nullptr) == 0);
  pthread_t threads[3];
  for (uintptr_t i = 0; i < 3; ++i) {
    CHECK(pthread_create(&threads[i], nullptr, Run, reinterpret_cast<void*>(i * 100000)) == 0);
  }
  for (uint64_t round = 0; alarms < 300 || kicks < 5000; ++round) {
    for (int i = 0; i < 100; ++i) {
      for (pthread_t thread : threads) CHECK(pthread_kill(thread, SIGUSR1) == 0);
    }
    Churn(round, 100);
  }
  stop = true;
  for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  return 0;
}
