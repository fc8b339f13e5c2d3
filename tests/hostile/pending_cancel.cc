// A thread that is to be cancelled goes on using malloc: none of its calls is a cancellation point,
// else the thread would die with a lock of the heap.
#include <pthread.h>

#include <csignal>

#include "tests/hostile/hostile.h"

namespace {

bool reached = false;

void* Run(void*) {
  pthread_cancel(pthread_self());
  Churn(1, 50000, 8 * kMegabyte);
  reached = true;
  pthread_testcancel();
  return nullptr;
}

}  // namespace

int main() {
  for (int i = 0; i < 10; ++i) {
    reached = false;
    pthread_t thread;
    void* result = nullptr;
    CHECK(pthread_create(&thread, nullptr, Run, nullptr) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(reached && result == PTHREAD_CANCELED);
    Churn(2, 5000);
  }
  return 0;
}
