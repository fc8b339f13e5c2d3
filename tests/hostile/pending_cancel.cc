// A thread that is to be cancelled goes on using malloc: none of its calls is a cancellation point,
// else the thread would die with a lock of the heap. Nor is it one that fails, and finds out why.
#include <pthread.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/hostile/hostile.h"

namespace {

bool reached = false;

void AllocateInVain() {
  rlimit old;
  CHECK(getrlimit(RLIMIT_DATA, &old) == 0);
  const rlimit tight = {kMegabyte, old.rlim_max};
  CHECK(setrlimit(RLIMIT_DATA, &tight) == 0);
  errno = 0;
  CHECK(malloc(300 * kMegabyte) == nullptr && errno == ENOMEM);
  CHECK(setrlimit(RLIMIT_DATA, &old) == 0);
}

void* Run(void* last) {
  pthread_cancel(pthread_self());
  Churn(1, 50000, 8 * kMegabyte);
  if (last != nullptr) AllocateInVain();
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
    CHECK(pthread_create(&thread, nullptr, Run, i == 9 ? &reached : nullptr) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(reached && result == PTHREAD_CANCELED);
    Churn(2, 5000);
  }
  return 0;
}
