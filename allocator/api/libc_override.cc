// The names by which C programs know an allocator: malloc and its family as glibc 2.36 exports
// it, and the extensions of other libcs that programs look for.
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "allocator/api/allocation.h"

using prairie::Call;

extern "C" {

PRAIRIE_EXPORT void* malloc(size_t size) { return prairie::Malloc(size); }
PRAIRIE_EXPORT void free(void* pointer) { prairie::Free(pointer, Call::kFree); }
PRAIRIE_EXPORT void* calloc(size_t count, size_t size) { return prairie::Calloc(count, size); }
PRAIRIE_EXPORT void* realloc(void* pointer, size_t size) { return prairie::Realloc(pointer, size); }
// As glibc's, by way of the program's realloc: one that has a malloc of its own need not have this.
PRAIRIE_EXPORT void* reallocarray(void* pointer, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return prairie::NoMemory();
  return realloc(pointer, bytes);
}
PRAIRIE_EXPORT void* memalign(size_t alignment, size_t size) {
  return prairie::Memalign(alignment, size);
}
PRAIRIE_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  return prairie::Memalign(alignment, size);  // glibc 2.36 has one function by two names.
}
PRAIRIE_EXPORT int posix_memalign(void** result, size_t alignment, size_t size) {
  return prairie::PosixMemalign(result, alignment, size);
}
PRAIRIE_EXPORT void* valloc(size_t size) {
  return prairie::AlignedAlloc(prairie::heap.OsPageSize(), size);
}
PRAIRIE_EXPORT void* pvalloc(size_t size) {
  const size_t page = prairie::heap.OsPageSize();
  if (size > prairie::kMaxObjectSize) return prairie::NoMemory();
  return prairie::AlignedAlloc(page, prairie::RoundUp(size == 0 ? 1 : size, page));
}
PRAIRIE_EXPORT void cfree(void* pointer) { prairie::Free(pointer, Call::kFree); }

// C23. The size and alignment are the caller's word; the heap knows them without.
PRAIRIE_EXPORT void free_sized(void* pointer, size_t) { prairie::Free(pointer, Call::kFree); }
PRAIRIE_EXPORT void free_aligned_sized(void* pointer, size_t, size_t) {
  prairie::Free(pointer, Call::kFree);
}

PRAIRIE_EXPORT size_t malloc_usable_size(void* pointer) { return prairie::UsableSize(pointer); }
PRAIRIE_EXPORT size_t malloc_size(const void* pointer) { return prairie::UsableSize(pointer); }
PRAIRIE_EXPORT size_t malloc_good_size(size_t size) { return prairie::GoodSize(size); }

// jemalloc's: the low six bits of `flags` are the base-two logarithm of the alignment.
PRAIRIE_EXPORT size_t nallocx(size_t size, int flags) {
  const size_t alignment = size_t{1} << (flags & 63);
  if (size > prairie::kMaxObjectSize || alignment > prairie::kMaxObjectSize) return 0;
  return prairie::GoodSize(prairie::RoundUp(size, alignment));
}
PRAIRIE_EXPORT void sdallocx(void* pointer, size_t, int) { prairie::Free(pointer, Call::kFree); }

PRAIRIE_EXPORT int malloc_trim(size_t) {
  return prairie::heap.Trim(prairie::Release::kMemory) != 0 ? 1 : 0;
}

PRAIRIE_EXPORT void malloc_stats(void) { prairie::heap.PrintStats(); }

// The parameters of glibc tune mechanisms that Prairie does not have: known ones are accepted
// (1), so that a program does not think that something failed, and change nothing.
PRAIRIE_EXPORT int mallopt(int parameter, int) {
  switch (parameter) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
      return 1;
    default:
      return 0;
  }
}

PRAIRIE_EXPORT struct mallinfo2 mallinfo2(void) {
  const prairie::HeapStats stats = prairie::heap.Stats();
  struct mallinfo2 info = {};
  const prairie::PageHeapStats& pages = stats.pages;
  // All but large objects and what has gone back: neither was it obtained any more nor is it free.
  const size_t gone_back = pages.free_bytes - pages.free_dirty_bytes;
  info.arena = pages.frontier_bytes - pages.foreign_bytes - gone_back - pages.large_bytes;
  info.hblks = stats.pages.large_count;
  info.hblkhd = stats.pages.large_bytes;
  info.uordblks = stats.allocated_bytes - stats.pages.large_bytes;
  info.fordblks = info.arena - info.uordblks;
  info.fsmblks = stats.cached_bytes;
  info.usmblks = stats.pages.peak_committed_bytes;
  info.keepcost = stats.pages.free_dirty_bytes;
  return info;
}

// The fields of the older struct are ints: what does not fit wraps, as with glibc.
PRAIRIE_EXPORT struct mallinfo __libc_mallinfo(void) {
  const struct mallinfo2 wide = mallinfo2();
  struct mallinfo info = {};
  info.arena = static_cast<int>(wide.arena);
  info.hblks = static_cast<int>(wide.hblks);
  info.hblkhd = static_cast<int>(wide.hblkhd);
  info.usmblks = static_cast<int>(wide.usmblks);
  info.fsmblks = static_cast<int>(wide.fsmblks);
  info.uordblks = static_cast<int>(wide.uordblks);
  info.fordblks = static_cast<int>(wide.fordblks);
  info.keepcost = static_cast<int>(wide.keepcost);
  return info;
}

PRAIRIE_EXPORT int malloc_info(int options, FILE* stream) {
  if (options != 0) {
    errno = EINVAL;
    return -1;
  }
  const prairie::HeapStats stats = prairie::heap.Stats();
  const int written = fprintf(stream,
                              "<malloc version=\"prairie-1\">\n"
                              "<heap nr=\"0\">\n"
                              "<total type=\"allocated\" count=\"%zu\" size=\"%zu\"/>\n"
                              "<total type=\"large\" count=\"%zu\" size=\"%zu\"/>\n"
                              "<total type=\"cached\" size=\"%zu\"/>\n"
                              "<total type=\"free\" size=\"%zu\"/>\n"
                              "<system type=\"current\" size=\"%zu\"/>\n"
                              "<system type=\"max\" size=\"%zu\"/>\n"
                              "<aspace type=\"total\" size=\"%zu\"/>\n"
                              "</heap>\n"
                              "</malloc>\n",
                              stats.allocated_count, stats.allocated_bytes, stats.pages.large_count,
                              stats.pages.large_bytes, stats.cached_bytes, stats.pages.free_bytes,
                              stats.pages.committed_bytes, stats.pages.peak_committed_bytes,
                              stats.reservation_bytes);
  return written < 0 ? -1 : 0;
}

// What programs that wrap malloc themselves call to reach "the real one".
PRAIRIE_EXPORT void* __libc_malloc(size_t size) { return prairie::Malloc(size); }
PRAIRIE_EXPORT void __libc_free(void* pointer) { prairie::Free(pointer, Call::kFree); }
PRAIRIE_EXPORT void __libc_cfree(void* pointer) { prairie::Free(pointer, Call::kFree); }
PRAIRIE_EXPORT void* __libc_calloc(size_t count, size_t size) {
  return prairie::Calloc(count, size);
}
PRAIRIE_EXPORT void* __libc_realloc(void* pointer, size_t size) {
  return prairie::Realloc(pointer, size);
}
PRAIRIE_EXPORT void* __libc_memalign(size_t alignment, size_t size) {
  return prairie::Memalign(alignment, size);
}
PRAIRIE_EXPORT int __posix_memalign(void** result, size_t alignment, size_t size) {
  return prairie::PosixMemalign(result, alignment, size);
}
PRAIRIE_EXPORT void* __libc_valloc(size_t size) { return valloc(size); }
PRAIRIE_EXPORT void* __libc_pvalloc(size_t size) { return pvalloc(size); }
PRAIRIE_EXPORT int __libc_mallopt(int parameter, int value) { return mallopt(parameter, value); }
PRAIRIE_EXPORT struct mallinfo mallinfo(void) { return __libc_mallinfo(); }

}  // extern "C"
