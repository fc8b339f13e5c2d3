#include "runtime/os/at_fork.h"

#include <pthread.h>

namespace prairie {

int AtFork(void (*before)(), void (*in_parent)(), void (*in_child)()) {
  return pthread_atfork(before, in_parent, in_child);
}

}  // namespace prairie
