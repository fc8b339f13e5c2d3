// prairie_*: the C API of include/prairie/prairie.h.
#include <string.h>

#include "allocator/api/allocation.h"
#include "prairie/prairie.h"

using prairie::Lookup;
using prairie::MemoryLimit;

namespace {

enum prairie_limit_kind KindOf(MemoryLimit limit) {
  switch (limit) {
    case MemoryLimit::kNone:
      return PRAIRIE_LIMIT_NONE;
    case MemoryLimit::kAddressSpace:
      return PRAIRIE_LIMIT_ADDRESS_SPACE;
    case MemoryLimit::kData:
      return PRAIRIE_LIMIT_DATA;
    case MemoryLimit::kOvercommit:
      return PRAIRIE_LIMIT_OVERCOMMIT;
    case MemoryLimit::kMappings:
      return PRAIRIE_LIMIT_MAPPINGS;
    case MemoryLimit::kCgroup:
      return PRAIRIE_LIMIT_CGROUP;
    case MemoryLimit::kHeapLimit:
      return PRAIRIE_LIMIT_HEAP;
    case MemoryLimit::kWindow:
      return PRAIRIE_LIMIT_WINDOW;
    case MemoryLimit::kUnknown:
      break;
  }
  return PRAIRIE_LIMIT_UNKNOWN;
}

// Limits of a machine may exceed what a process with narrow pointers can say.
size_t ClampToSize(uint64_t value) {
  return value < SIZE_MAX ? static_cast<size_t>(value) : SIZE_MAX;
}

}  // namespace

extern "C" {

PRAIRIE_EXPORT void* prairie_malloc(size_t size) { return prairie::Malloc(size); }
PRAIRIE_EXPORT void* prairie_calloc(size_t count, size_t size) {
  return prairie::Calloc(count, size);
}
PRAIRIE_EXPORT void* prairie_realloc(void* pointer, size_t size) {
  return prairie::Realloc(pointer, size);
}
PRAIRIE_EXPORT void* prairie_reallocarray(void* pointer, size_t count, size_t size) {
  return prairie::ReallocArray(pointer, count, size);
}
PRAIRIE_EXPORT void* prairie_aligned_alloc(size_t alignment, size_t size) {
  return prairie::AlignedAlloc(alignment, size);
}
PRAIRIE_EXPORT int prairie_posix_memalign(void** result, size_t alignment, size_t size) {
  return prairie::PosixMemalign(result, alignment, size);
}
PRAIRIE_EXPORT void prairie_free(void* pointer) { prairie::Free(pointer, prairie::Call::kFree); }
PRAIRIE_EXPORT size_t prairie_usable_size(const void* pointer) {
  return prairie::UsableSize(pointer);
}
PRAIRIE_EXPORT size_t prairie_good_size(size_t size) { return prairie::GoodSize(size); }

static bool IsLive(const Lookup& found) {
  return found.kind == Lookup::kObject || found.kind == Lookup::kMapped;
}

PRAIRIE_EXPORT void* prairie_base_of(const void* pointer) {
  const Lookup found = prairie::heap.FindContaining(pointer);
  return IsLive(found) ? reinterpret_cast<void*>(found.object) : nullptr;
}
PRAIRIE_EXPORT size_t prairie_size_of(const void* pointer) {
  const Lookup found = prairie::heap.FindContaining(pointer);
  return IsLive(found) ? found.size : 0;
}
PRAIRIE_EXPORT int prairie_is_live(const void* pointer) {
  return IsLive(prairie::heap.FindContaining(pointer));
}
PRAIRIE_EXPORT int prairie_owns(const void* pointer) { return prairie::heap.Owns(pointer); }

PRAIRIE_EXPORT int prairie_last_failure(struct prairie_failure* failure) {
  if (failure == nullptr) return EINVAL;
  const prairie::Failure last = prairie::heap.LastFailure();
  failure->kind = KindOf(last.finding.limit);
  failure->name = prairie::NameOf(last.finding.limit);
  failure->limit = ClampToSize(last.finding.value);
  failure->used = ClampToSize(last.finding.used);
  failure->requested = last.requested;
  failure->count = last.count;
  return 0;
}

PRAIRIE_EXPORT int prairie_set_limit(size_t soft, size_t hard) {
  if (soft != 0 && hard != 0 && soft > hard) return EINVAL;
  return prairie::heap.SetLimit({soft, hard}) ? 0 : ENOMEM;
}

PRAIRIE_EXPORT void prairie_get_limit(size_t* soft, size_t* hard) {
  const prairie::CommitBounds bounds = prairie::heap.Limit();
  if (soft != nullptr) *soft = bounds.soft;
  if (hard != nullptr) *hard = bounds.hard;
}

PRAIRIE_EXPORT void prairie_set_pressure_handler(prairie_pressure_handler handler, void* argument) {
  prairie::heap.pressure_handler().Set(handler, argument);
}

PRAIRIE_EXPORT void* prairie_span_take(size_t size, size_t alignment, const char* name) {
  if (size == 0 || name == nullptr || (alignment & (alignment - 1)) != 0) {
    errno = EINVAL;
    return nullptr;
  }
  bool reserved = false;
  if (void* const span = prairie::heap.TakeMapped(size, alignment, name, &reserved)) return span;
  errno = reserved ? ENOMEM : ENOTSUP;
  return nullptr;
}
PRAIRIE_EXPORT int prairie_span_set_live(void* span, size_t size) {
  return prairie::heap.SetLive(span, size) ? 0 : EINVAL;
}
PRAIRIE_EXPORT int prairie_span_return(void* span) {
  return prairie::heap.ReturnMapped(span) ? 0 : EINVAL;
}
PRAIRIE_EXPORT const char* prairie_name_of(const void* pointer) {
  return prairie::heap.NameOfMapped(pointer);
}

PRAIRIE_EXPORT size_t prairie_trim(void) { return prairie::heap.Trim(prairie::Release::kMemory); }

PRAIRIE_EXPORT int prairie_get_stats(struct prairie_stats* stats, size_t size) {
  if (stats == nullptr) return EINVAL;
  const prairie::HeapStats heap = prairie::heap.Stats();
  struct prairie_stats full = {};
  full.allocated_bytes = heap.allocated_bytes;
  full.allocated_count = heap.allocated_count;
  full.large_bytes = heap.pages.large_bytes;
  full.large_count = heap.pages.large_count;
  full.cached_bytes = heap.cached_bytes;
  full.free_bytes = heap.pages.free_bytes;
  full.free_dirty_bytes = heap.pages.free_dirty_bytes;
  full.committed_bytes = heap.pages.committed_bytes;
  full.peak_committed_bytes = heap.pages.peak_committed_bytes;
  full.metadata_bytes = heap.metadata_bytes;
  full.reserved_bytes = heap.reserved ? heap.reservation_bytes : 0;
  full.thread_count = heap.thread_count;
  full.arena_base = heap.arena_base;
  full.arena_end = heap.arena_base + heap.pages.frontier_bytes;
  memcpy(stats, &full, size < sizeof full ? size : sizeof full);
  return 0;
}

PRAIRIE_EXPORT void prairie_print_stats(void) { prairie::heap.PrintStats(); }

}  // extern "C"
