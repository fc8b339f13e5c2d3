#include "allocator/os/linux_memory.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "allocator/base/config.h"
#include "allocator/base/report.h"
#include "allocator/os/memory_limits.h"
#include "allocator/os/sanitizers.h"
#include "allocator/os/system_file.h"

// Kernel ABI, absent from old headers.
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000  // Linux 4.17
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4  // Linux 5.7
#endif

namespace prairie {
namespace {

void* Pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

// The kernel's own calls rather than the C library's: those may belong to somebody else, such as a
// sanitizer's runtime, who allocates in them, or is not ready yet when the first malloc comes. They
// set errno as the C library's do.
#if defined(SYS_mmap2)
constexpr long kMmap = SYS_mmap2;  // Where offsets are in pages; ours is 0.
#else
constexpr long kMmap = SYS_mmap;
#endif

void* Map(uintptr_t address, size_t size, int protection, int flags) {
  return Pointer(static_cast<uintptr_t>(syscall(kMmap, address, size, protection, flags, -1, 0L)));
}
long Protect(uintptr_t address, size_t size, int protection) {
  return syscall(SYS_mprotect, address, size, protection);
}
long UnmapRange(uintptr_t address, size_t size) { return syscall(SYS_munmap, address, size); }
long Advise(uintptr_t address, size_t size, int advice) {
  return syscall(SYS_madvise, address, size, advice);
}

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

// EAGAIN: the pages are to be locked (mlockall) and RLIMIT_MEMLOCK is reached. EPERM, EACCES,
// ENOSYS: what filters of system calls answer; EPERM is also said of addresses below
// vm.mmap_min_addr.
bool IsNoMemory(int error) {
  return error == ENOMEM || error == EAGAIN || error == EPERM || error == EACCES || error == ENOSYS;
}

MapResult MapExactly(uintptr_t address, size_t size, int protection, int flags) {
  void* const got =
      Map(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags);
  if (got == Pointer(address)) return MapResult::kOk;
  if (got != MAP_FAILED) {
    // A kernel before 4.17 takes the flag for nothing and the address for a hint.
    UnmapRange(reinterpret_cast<uintptr_t>(got), size);
    return MapResult::kOccupied;
  }
  if (errno == EEXIST) return MapResult::kOccupied;
  if (IsNoMemory(errno)) return MapResult::kNoMemory;
  // EINVAL: above what the processor can address.
  if (errno == EINVAL) return MapResult::kOccupied;
  Unexpected("mmap", address, size);
}

}  // namespace

size_t LinuxMemory::PageSize() const { return getauxval(AT_PAGESZ); }

size_t LinuxMemory::PhysicalMemory() const {
  struct sysinfo info;
  if (syscall(SYS_sysinfo, &info) != 0) return 0;
  const uint64_t bytes = uint64_t{info.totalram} * info.mem_unit;
  return bytes < SIZE_MAX ? static_cast<size_t>(bytes) : SIZE_MAX;
}

bool LinuxMemory::MayGrant(size_t size) const {
  struct sysinfo info;
  if (syscall(SYS_sysinfo, &info) != 0) return true;
  const uint64_t units = uint64_t{info.totalram} + info.totalswap;
  return size / info.mem_unit <= units || !RefusesMoreThanMemory();
}

size_t LinuxMemory::AddressSpaceLimit() const {
  struct rlimit64 limit;
  if (syscall(SYS_prlimit64, 0, RLIMIT_AS, nullptr, &limit) != 0) return SIZE_MAX;
  return limit.rlim_cur < SIZE_MAX ? static_cast<size_t>(limit.rlim_cur) : SIZE_MAX;
}

bool LinuxMemory::MayUse(uintptr_t address, size_t size) const {
  if (!SanitizerLeaves(address, size)) return false;
  // Without a vDSO this is no kernel but an emulator. qemu-user before 8.1 keeps a mapping of its
  // own for every question, and then finds the range taken; it has had a vDSO since 8.2.
  if (getauxval(AT_SYSINFO_EHDR) == 0) return true;
  // Neither private nor shared, so nothing can come of it; but before the kernel finds that out it
  // has looked whether the range is free. One that asks in another order says EINVAL too.
  constexpr int kQuestion = MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  return Map(address, size, PROT_NONE, kQuestion) != MAP_FAILED || errno != EEXIST;
}

uintptr_t LinuxMemory::EndOfAddresses() const {
  // The kernel keeps 128 MiB for a stack of any limit, and more for a higher one. Of an unlimited
  // one too: the rest is there for whoever comes first.
  constexpr size_t kLeastStack = 128 * kMiB;
  constexpr size_t kMostStack = 512 * kMiB;
  struct rlimit64 limit;
  size_t stack = kLeastStack;
  if (syscall(SYS_prlimit64, 0, RLIMIT_STACK, nullptr, &limit) == 0 &&
      limit.rlim_cur > kLeastStack) {
    stack = limit.rlim_cur < kMostStack ? static_cast<size_t>(limit.rlim_cur) : kMostStack;
  }
  return MainStackEnd() - stack;
}

MapResult LinuxMemory::ReserveAt(uintptr_t address, size_t size) {
  return MapExactly(address, size, PROT_NONE, MAP_NORESERVE);
}

uintptr_t LinuxMemory::ReserveAnywhere(size_t size) {
  void* const got = Map(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  if (got != MAP_FAILED) return reinterpret_cast<uintptr_t>(got);
  // EINVAL is how valgrind says that there is no room for so much.
  if (IsNoMemory(errno) || errno == EINVAL) return 0;
  Unexpected("mmap", 0, size);
}

MapResult LinuxMemory::Commit(uintptr_t address, size_t size) {
  if (Protect(address, size, PROT_READ | PROT_WRITE) == 0) return MapResult::kOk;
  if (!IsNoMemory(errno)) Unexpected("mprotect", address, size);
  // Of a range of several mappings the first may have got their access by then, and would be
  // charged for it.
  Protect(address, size, PROT_NONE);
  return MapResult::kNoMemory;
}

MapResult LinuxMemory::MapAt(uintptr_t address, size_t size) {
  return MapExactly(address, size, PROT_READ | PROT_WRITE, 0);
}

bool LinuxMemory::Discard(uintptr_t address, size_t size) {
  // Fails with EINVAL on locked pages (mlockall): they then keep their contents. EAGAIN: retry is
  // the caller's business; ENOMEM cannot be, the range is mapped.
  return Advise(address, size, MADV_DONTNEED) == 0;
}

bool LinuxMemory::Decommit(uintptr_t address, size_t size) {
  if (Advise(address, size, MADV_DONTNEED) != 0) return false;
  // Splitting a mapping may need one more than vm.max_map_count allows, and of a range of several
  // mappings the first may have changed by then. What keeps its access keeps its charge.
  if (Protect(address, size, PROT_NONE) == 0 || IsNoMemory(errno)) return true;
  Unexpected("mprotect", address, size);
}

bool LinuxMemory::Renew(uintptr_t address, size_t size) {
  // NORESERVE as in the reservation around it: mappings merge only if their flags agree.
  return Map(address, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED) == Pointer(address);
}

bool LinuxMemory::Unmap(uintptr_t address, size_t size) {
  if (UnmapRange(address, size) == 0) return true;
  if (IsNoMemory(errno)) return false;  // vm.max_map_count, as above.
  Unexpected("munmap", address, size);
}

bool LinuxMemory::AdviseHugePages(uintptr_t address, size_t size) {
  // EINVAL: a kernel without huge pages. It is advice only.
  return Advise(address, size, MADV_HUGEPAGE) == 0;
}

bool LinuxMemory::MayHaveHugePages() const {
  const int saved_errno = errno;
  SystemFile setting("/sys/kernel/mm/transparent_hugepage/enabled");
  const char* const line = setting.NextLine();
  const bool may = line != nullptr && strstr(line, "[never]") == nullptr;
  errno = saved_errno;
  return may;
}

bool LinuxMemory::CollapseToHugePage(uintptr_t address) {
  // EINVAL: an old kernel. Others: no memory for a huge page, or a page that cannot be moved.
  return AdviseHugePages(address, kHugePageSize) &&
         Advise(address, kHugePageSize, MADV_COLLAPSE) == 0;
}

bool LinuxMemory::AvoidHugePages(uintptr_t address, size_t size) {
  return Advise(address, size, MADV_NOHUGEPAGE) == 0;  // EINVAL: as above.
}

namespace {

bool IsZero(const char* memory, size_t size) {
  return memory[0] == 0 && memcmp(memory, memory + 1, size - 1) == 0;
}

// After a failed move of pages onto zeroed ones: brings back what has moved all the same. Since
// Linux 6.17 a range of several mappings moves one mapping after the other, and may stop in
// between. Returns whether all of `to` is still mapped.
//
// The kernel unmaps the target before it moves anything there, so another thread's mapping may have
// fallen into it. What lies there is taken only for pages that have moved, which left zeroes.
bool UndoMove(uintptr_t from, uintptr_t to, size_t size, size_t page) {
  // Others may not let us read. An old kernel does not know how to ask for that.
  const bool can_ask = Advise(from, page, MADV_POPULATE_READ) == 0;
  bool whole = true, moved = true;
  for (size_t offset = 0; offset < size; offset += page) {
    char* const source = reinterpret_cast<char*>(from + offset);
    char* const target = reinterpret_cast<char*>(to + offset);
    // Behind the first that has not moved none has.
    moved = moved && IsZero(source, page);
    unsigned char resident;
    if (mincore(target, page, &resident) != 0) {
      whole = false;  // ENOMEM: nothing is mapped there.
    } else if (moved && (!can_ask || Advise(to + offset, page, MADV_POPULATE_READ) == 0) &&
               !IsZero(target, page)) {
      memcpy(source, target, page);
    }
  }
  return whole;
}

}  // namespace

MoveResult LinuxMemory::MovePages(uintptr_t from, uintptr_t to, size_t size) {
  // Zeroed first, so that after a failure what is there has been moved, or is another's.
  if (Advise(to, size, MADV_DONTNEED) != 0) return MoveResult::kFailed;
  // With DONTUNMAP no hole opens behind the move into which another thread's mapping could fall.
  if (syscall(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) ==
      static_cast<long>(to)) {
    return MoveResult::kOk;
  }
  const bool whole = UndoMove(from, to, size, PageSize());
  return whole ? MoveResult::kFailed : MoveResult::kTargetGone;
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
