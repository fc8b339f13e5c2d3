// A SIGSEGV handler, on its own stack, that allocates, and leaves by siglongjmp. Not from inside
// malloc.
#include <pthread.h>

#include <csetjmp>
#include <csignal>

#include "tests/hostile/hostile.h"

namespace {

thread_local sigjmp_buf resume;
volatile char* volatile nowhere = nullptr;

void Handle(int) {
  Churn(1, 200);
  siglongjmp(resume, 1);
}

__attribute__((noinline)) void CrashOnce() {
  if (sigsetjmp(resume, 1) == 0) {
    *nowhere = 1;
    CHECK(false);
  }
}

void* Run(void* seed) {
  alignas(16) static thread_local char stack[64 * kKilobyte];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof(stack);
  CHECK(sigaltstack(&alternative, nullptr) == 0);
  for (uint64_t round = 0; round < 300; ++round) {
    CrashOnce();
    Churn(reinterpret_cast<uintptr_t>(seed) + round, 100);
  }
  alternative.ss_flags = SS_DISABLE;
  CHECK(sigaltstack(&alternative, nullptr) == 0);
  return nullptr;
}

}  // namespace

int main() {
  struct sigaction action = {};
  action.sa_handler = Handle;
  action.sa_flags = SA_ONSTACK;
  CHECK(sigaction(SIGSEGV, &action, nullptr) == 0);
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 4; ++i) {
    CHECK(pthread_create(&threads[i], nullptr, Run, reinterpret_cast<void*>(i * 1000)) == 0);
  }
  for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  Run(nullptr);
  return 0;
}
