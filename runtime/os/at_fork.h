// What must be in order when the process forks.
#ifndef PRAIRIE_RUNTIME_OS_AT_FORK_H_
#define PRAIRIE_RUNTIME_OS_AT_FORK_H_

namespace prairie {

// From now on fork calls `before`, and then `in_parent` and `in_child`; those registered later go
// first in `before`, and last in the others. For locks: taken before, they are free in the child,
// whatever other threads were doing. 0 or errno (ENOMEM: then that is left to chance).
int AtFork(void (*before)(), void (*in_parent)(), void (*in_child)());

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_OS_AT_FORK_H_
