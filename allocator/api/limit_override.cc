// setrlimit and prlimit of the preloaded library: they do what they always did, and tell the heap
// when the process lowers its limit of address space, so that the reservation is given back before
// the next mmap of the program would fail for it.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocator/base/compiler.h"
#include "allocator/heap/heap.h"

namespace prairie {
namespace {

int SetLimit(pid_t pid, int resource, const void* wanted, void* old) {
  const long result = syscall(SYS_prlimit64, pid, resource, wanted, old);
  if (result == 0 && resource == RLIMIT_AS && wanted != nullptr) {
    const pid_t self = getpid();
    if (pid == 0 || pid == self) heap.ObserveLimits(self);
  }
  return static_cast<int>(result);
}

}  // namespace
}  // namespace prairie

// Where addresses have 64 bits struct rlimit and struct rlimit64 are the same.
static_assert(sizeof(rlim_t) == sizeof(rlim64_t));

PRAIRIE_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit* wanted) noexcept {
  return prairie::SetLimit(0, static_cast<int>(resource), wanted, nullptr);
}

PRAIRIE_EXPORT int setrlimit64(__rlimit_resource_t resource,
                               const struct rlimit64* wanted) noexcept {
  return prairie::SetLimit(0, static_cast<int>(resource), wanted, nullptr);
}

PRAIRIE_EXPORT int prlimit(pid_t pid, __rlimit_resource resource, const struct rlimit* wanted,
                           struct rlimit* old) noexcept {
  return prairie::SetLimit(pid, static_cast<int>(resource), wanted, old);
}

PRAIRIE_EXPORT int prlimit64(pid_t pid, __rlimit_resource resource, const struct rlimit64* wanted,
                             struct rlimit64* old) noexcept {
  return prairie::SetLimit(pid, static_cast<int>(resource), wanted, old);
}
