// The address space that a sanitizer's runtime keeps for itself.
#ifndef PRAIRIE_ALLOCATOR_OS_SANITIZERS_H_
#define PRAIRIE_ALLOCATOR_OS_SANITIZERS_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

enum class Sanitizer : uint8_t {
  kNone,  // or one without address space of its own
  kAddress,
  kThread,
};

// The one whose runtime is in the process, initialized or not.
Sanitizer SanitizerInProcess();

// Whether `sanitizer` lets others use all of the range at once. False for what its runtime has not
// documented for this processor. Where the kernel chooses the address it is left to others.
bool SanitizerLeaves(Sanitizer sanitizer, uintptr_t address, size_t size);

inline bool SanitizerLeaves(uintptr_t address, size_t size) {
  return SanitizerLeaves(SanitizerInProcess(), address, size);
}

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_SANITIZERS_H_
