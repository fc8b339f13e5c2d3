#include "allocator/os/linux_memory.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "allocator/base/report.h"

// Kernel ABI, absent from old headers.
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000  // Linux 4.17
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4  // Linux 5.7
#endif

namespace prairie {
namespace {

void* Pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

// Any other errno means that this file or its caller is wrong, and going on would corrupt memory.
[[noreturn]] void Unexpected(const char* call, uintptr_t address, size_t size) {
  const int error = errno;
  Report()
      .Text("prairie: internal error: ")
      .Text(call)
      .Text("(")
      .Hex(address)
      .Text(", ")
      .Bytes(size)
      .Text(") failed with errno ")
      .Decimal(static_cast<uint64_t>(error))
      .EmitAndAbort();
}

// EAGAIN: the pages are to be locked (mlockall) and RLIMIT_MEMLOCK is reached.
bool IsNoMemory(int error) { return error == ENOMEM || error == EAGAIN; }

MapResult MapExactly(uintptr_t address, size_t size, int protection, int flags) {
  void* const got = mmap(Pointer(address), size, protection,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);
  if (got == Pointer(address)) return MapResult::kOk;
  if (got != MAP_FAILED) {
    // A kernel before 4.17 takes the flag for nothing and the address for a hint.
    munmap(got, size);
    return MapResult::kOccupied;
  }
  if (errno == EEXIST) return MapResult::kOccupied;
  if (IsNoMemory(errno)) return MapResult::kNoMemory;
  // EPERM: below vm.mmap_min_addr; EINVAL: above what the processor can address.
  if (errno == EPERM || errno == EINVAL) return MapResult::kOccupied;
  Unexpected("mmap", address, size);
}

}  // namespace

size_t LinuxMemory::PageSize() const { return getauxval(AT_PAGESZ); }

size_t LinuxMemory::PhysicalMemory() const {
  struct sysinfo info;
  if (sysinfo(&info) != 0) return 0;
  return static_cast<size_t>(info.totalram) * info.mem_unit;
}

size_t LinuxMemory::AddressSpaceLimit() const {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return limit.rlim_cur;
}

MapResult LinuxMemory::ReserveAt(uintptr_t address, size_t size) {
  return MapExactly(address, size, PROT_NONE, MAP_NORESERVE);
}

uintptr_t LinuxMemory::ReserveAnywhere(size_t size) {
  void* const got =
      mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got != MAP_FAILED) return reinterpret_cast<uintptr_t>(got);
  if (IsNoMemory(errno)) return 0;
  Unexpected("mmap", 0, size);
}

MapResult LinuxMemory::Commit(uintptr_t address, size_t size) {
  if (mprotect(Pointer(address), size, PROT_READ | PROT_WRITE) == 0) return MapResult::kOk;
  if (IsNoMemory(errno)) return MapResult::kNoMemory;
  Unexpected("mprotect", address, size);
}

MapResult LinuxMemory::MapAt(uintptr_t address, size_t size) {
  return MapExactly(address, size, PROT_READ | PROT_WRITE, 0);
}

bool LinuxMemory::Discard(uintptr_t address, size_t size) {
  // Fails with EINVAL on locked pages (mlockall): they then keep their contents. EAGAIN: retry is
  // the caller's business; ENOMEM cannot be, the range is mapped.
  return madvise(Pointer(address), size, MADV_DONTNEED) == 0;
}

bool LinuxMemory::Decommit(uintptr_t address, size_t size) {
  if (madvise(Pointer(address), size, MADV_DONTNEED) != 0) return false;
  if (mprotect(Pointer(address), size, PROT_NONE) == 0) return true;
  // Splitting a mapping may need one more than vm.max_map_count allows.
  if (IsNoMemory(errno)) return false;
  Unexpected("mprotect", address, size);
}

bool LinuxMemory::Renew(uintptr_t address, size_t size) {
  // NORESERVE as in the reservation around it: mappings merge only if their flags agree.
  return mmap(Pointer(address), size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == Pointer(address);
}

bool LinuxMemory::Unmap(uintptr_t address, size_t size) {
  if (munmap(Pointer(address), size) == 0) return true;
  if (IsNoMemory(errno)) return false;  // vm.max_map_count, as above.
  Unexpected("munmap", address, size);
}

bool LinuxMemory::AdviseHugePages(uintptr_t address, size_t size) {
  // EINVAL: a kernel without huge pages. It is advice only.
  return madvise(Pointer(address), size, MADV_HUGEPAGE) == 0;
}

bool LinuxMemory::MovePages(uintptr_t from, uintptr_t to, size_t size) {
  // With DONTUNMAP no hole opens behind the move into which another thread's mapping could fall.
  return mremap(Pointer(from), size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                Pointer(to)) == Pointer(to);
}

uintptr_t MainStackEnd() { return getauxval(AT_EXECFN); }

uint64_t ProcessRandom() {
  uint64_t bits = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, where the kernel gives nothing.
  const unsigned long address = getauxval(AT_RANDOM);
  if (address != 0) memcpy(&bits, Pointer(address), sizeof bits);
  return bits;
}

uint64_t MonotonicMilliseconds() {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0) return 0;
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace prairie
