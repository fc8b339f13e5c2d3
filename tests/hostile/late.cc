// liblate.so: preloaded behind libprairie.so, so that it is initialized before it and finalized
// after it.
#include <pthread.h>

#include "tests/hostile/hostile.h"

namespace {

Block from_constructor;

void AtFork() { Churn(13, 300); }

void AtExit() {
  from_constructor.Verify();
  Churn(11, 2000);
}

__attribute__((constructor)) void Constructor() {
  from_constructor.Allocate(500, 9);
  Churn(10, 2000);
  CHECK(atexit(AtExit) == 0);
  CHECK(pthread_atfork(AtFork, AtFork, AtFork) == 0);
}

__attribute__((destructor)) void Destructor() {
  from_constructor.Free();
  Churn(12, 2000);
  Say("late library");
}

}  // namespace
