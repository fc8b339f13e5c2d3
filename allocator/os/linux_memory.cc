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
  // Splitting a mapping may need one more than vm.max_map_count allows, and of a range of several
  // mappings the first may have changed by then. What keeps its access keeps its charge.
  if (mprotect(Pointer(address), size, PROT_NONE) == 0 || IsNoMemory(errno)) return true;
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

bool LinuxMemory::AvoidHugePages(uintptr_t address, size_t size) {
  return madvise(Pointer(address), size, MADV_NOHUGEPAGE) == 0;  // EINVAL: as above.
}

namespace {

bool IsZero(const char* memory, size_t size) {
  return memory[0] == 0 && memcmp(memory, memory + 1, size - 1) == 0;
}

// After a failed move of pages onto zeroed ones: brings back what has moved all the same. Since
// Linux 6.17 a range of several mappings moves one mapping after the other, and may stop in
// between. Returns whether all of `to` is still mapped.
bool UndoMove(uintptr_t from, uintptr_t to, size_t size, size_t page) {
  bool whole = true;
  for (size_t offset = 0; offset < size; offset += page) {
    unsigned char resident;
    char* const moved = reinterpret_cast<char*>(to + offset);
    if (mincore(moved, page, &resident) != 0) {
      whole = false;  // ENOMEM: nothing is mapped there.
    } else if (!IsZero(moved, page)) {
      memcpy(Pointer(from + offset), moved, page);
    }
  }
  return whole;
}

}  // namespace

MoveResult LinuxMemory::MovePages(uintptr_t from, uintptr_t to, size_t size) {
  // Zeroed first, so that after a failure what is there has been moved.
  if (madvise(Pointer(to), size, MADV_DONTNEED) != 0) return MoveResult::kFailed;
  // With DONTUNMAP no hole opens behind the move into which another thread's mapping could fall.
  if (mremap(Pointer(from), size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
             Pointer(to)) == Pointer(to)) {
    return MoveResult::kOk;
  }
  if (UndoMove(from, to, size, PageSize())) return MoveResult::kFailed;
  munmap(Pointer(to), size);
  return MoveResult::kTargetGone;
}

bool IsPrivileged() { return getauxval(AT_SECURE) != 0; }

uintptr_t MainStackEnd() { return getauxval(AT_EXECFN); }

uint64_t ProcessRandom() {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  uint64_t words[2] = {kGolden, kGolden};
  const unsigned long address = getauxval(AT_RANDOM);
  if (address != 0) memcpy(words, Pointer(address), sizeof words);
  // glibc makes the stack protector's canary of the first word: what comes out here must not show
  // it. Source of the mixing steps: S. Vigna, splitmix64.
  uint64_t bits = words[0] * kGolden + words[1];
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31) ^ words[1];
}

uint64_t MonotonicMilliseconds() {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0) return 0;
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace prairie
