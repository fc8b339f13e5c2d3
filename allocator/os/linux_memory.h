// OsMemory on Linux.
#ifndef PRAIRIE_ALLOCATOR_OS_LINUX_MEMORY_H_
#define PRAIRIE_ALLOCATOR_OS_LINUX_MEMORY_H_

#include "allocator/os/os_memory.h"

namespace prairie {

class LinuxMemory final : public OsMemory {
 public:
  constexpr LinuxMemory() = default;

  size_t PageSize() const override;
  size_t PhysicalMemory() const override;
  bool MayGrant(size_t size) const override;
  size_t AddressSpaceLimit() const override;
  bool MayUse(uintptr_t address, size_t size) const override;
  uintptr_t EndOfAddresses() const override;
  MapResult ReserveAt(uintptr_t address, size_t size) override;
  uintptr_t ReserveAnywhere(size_t size) override;
  MapResult Commit(uintptr_t address, size_t size) override;
  MapResult MapAt(uintptr_t address, size_t size) override;
  bool Discard(uintptr_t address, size_t size) override;
  bool Decommit(uintptr_t address, size_t size) override;
  bool Renew(uintptr_t address, size_t size) override;
  bool Unmap(uintptr_t address, size_t size) override;
  bool AdviseHugePages(uintptr_t address, size_t size) override;
  bool MayHaveHugePages() const override;
  bool CollapseToHugePage(uintptr_t address) override;
  bool AvoidHugePages(uintptr_t address, size_t size) override;
  MoveResult MovePages(uintptr_t from, uintptr_t to, size_t size) override;
};

// Whether the program has rights that its user has not (set-user-ID and the like), so that the
// environment is not to be trusted.
bool IsPrivileged();

// An address near the upper end of the main thread's stack, above its frames, arguments and
// environment: where the kernel put the name of the program.
uintptr_t MainStackEnd();

// 64 bits that differ from process to process (the kernel's AT_RANDOM, no system call).
uint64_t ProcessRandom();

// Milliseconds of a clock that never goes back (coarse: a few milliseconds; no system call).
uint64_t MonotonicMilliseconds();

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_LINUX_MEMORY_H_
