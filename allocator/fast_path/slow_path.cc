// The slow halves of malloc and free: refill, overflow, large objects, misuse.
#include <errno.h>
#include <string.h>

#include "allocator/fast_path/fast_path.h"

namespace prairie {
namespace {

void* AllocateSmall(size_t size) {
  const SizeClass c = ClassOfSize(size);
  thread_cache->TakeFullSpare(c);
  for (;;) {
    if (void* const object = thread_cache->Pop(c, fast.mark_key)) {
      heap.RelievePressure();
      return object;
    }
    if (FreeObject* const smashed = thread_cache->PopSmashed(c); PRAIRIE_UNLIKELY(smashed)) {
      heap.ReportSmashed(c, smashed);
      continue;
    }
    if (PRAIRIE_UNLIKELY(!heap.EnsureInitialized())) {
      heap.RecordFailure(size);
      return nullptr;
    }
    if (PRAIRIE_LIKELY(heap.Refill(c))) continue;
    // No cache, or no memory: one object straight from the central list.
    FreeObject* const object = heap.AllocateUncached(c, size);
    if (object != nullptr) {
      object->mark = 0;
      heap.RelievePressure();
    }
    return object;
  }
}

void FreeSmall(FreeObject* object, SizeClass c) {
  const bool is_first = !thread_cache->knows(c);
  while (!thread_cache->Push(object, object->FreeMark(fast.mark_key), c)) {
    if (PRAIRIE_UNLIKELY(!heap.MakeRoom(c))) return heap.FreeUncached(object, c);
  }
  // Who frees before it allocates frees what another thread allocated, and that one may still write
  // to the rest of the cache line.
  if (is_first && kSizeClasses[c].size < kCacheLineSize) heap.KeepForLast(c);
}

// Both keep errno.
Span* AllocateSpan(size_t size, size_t alignment) {
  if (alignment <= kPageSize) {
    if (Span* const kept = heap.TakeKept(size)) return kept;
  }
  const int saved_errno = errno;
  Span* const span = heap.AllocateLarge(size, alignment);
  errno = saved_errno;
  return span;
}

// From this size on memory that is to be zero goes back instead of being written: the program may
// leave most of it alone. What it does use comes as fast anew in huge pages; in small ones that
// takes longer, and from the second size on glibc pays it, too. ADR 13.
constexpr size_t kDiscardFrom = 4 * kMiB;
constexpr size_t kDiscardSmallPagesFrom = 32 * kMiB;

void Clear(Span* span, void* object, size_t size) {
  PageHeap& page_heap = heap.page_heap();
  const bool goes_back =
      size >= (page_heap.may_have_huge_pages() ? kDiscardFrom : kDiscardSmallPagesFrom);
  if (goes_back && page_heap.Discard(span->first_page.offset(), span->pages.bytes())) return;
  memset(object, 0, size);
}

void* AllocateLarge(size_t size, size_t alignment) {
  Span* const span = AllocateSpan(size, alignment);
  return span == nullptr ? nullptr : reinterpret_cast<void*>(heap.AddressOf(span));
}

}  // namespace

PRAIRIE_NOINLINE void* AllocateSlow(size_t size) {
  if (size > kMaxSmallSize) return AllocateLarge(size, 1);
  const int saved_errno = errno;
  void* const object = AllocateSmall(size);
  errno = saved_errno;
  return object;
}

void* AllocateAligned(size_t size, size_t alignment) {
  if (alignment <= kGranuleSize) return Allocate(size);
  if (size <= kMaxSmallSize && alignment <= kMaxSmallSize) {
    // Slots lie at multiples of their size, so a class whose size is a multiple of the alignment
    // has aligned slots; the powers of two among the classes see to it that there is one.
    SizeClass c = ClassOfSize(size > alignment ? size : alignment);
    while (c < kSizeClassCount && (kSizeClasses[c].size & (alignment - 1)) != 0) ++c;
    if (c < kSizeClassCount) return Allocate(kSizeClasses[c].size);
  }
  return AllocateLarge(size == 0 ? 1 : size, alignment);
}

void* AllocateZeroed(size_t size) {
  if (PRAIRIE_LIKELY(size <= kMaxSmallSize)) {
    void* const object = Allocate(size);
    if (PRAIRIE_LIKELY(object != nullptr)) memset(object, 0, size);
    return object;
  }
  Span* const span = AllocateSpan(size, 1);
  if (span == nullptr) return nullptr;
  void* const object = reinterpret_cast<void*>(heap.AddressOf(span));
  if (!span->zeroed) Clear(span, object, size);
  return object;
}

PRAIRIE_NOINLINE void FreeSlow(void* pointer, Call call) {
  if (pointer == nullptr) return;
  FreeObject* const object = static_cast<FreeObject*>(pointer);
  const SizeClass c = LiveSmallClass(pointer);
  if (c != 0 && thread_cache->TakeEmptySpare(c)) {
    thread_cache->Push(object, object->FreeMark(fast.mark_key), c);
    return;
  }
  if (c == 0 && heap.KeepLarge(pointer)) return;
  const int saved_errno = errno;
  // If it is only that the magazine is full, what the fast path checks has been checked. A look at
  // the span and its bits would be three lines of memory that are seldom in the processor's cache.
  if (c != 0 && thread_cache->knows(c)) {
    FreeSmall(object, c);
    errno = saved_errno;
    return;
  }
  const Lookup found = heap.Find(pointer);
  if (PRAIRIE_UNLIKELY(found.kind != Lookup::kObject)) {
    heap.ReportMisuse(call, pointer);
  } else if (found.span->kind == SpanKind::kLarge) {
    if (!heap.FreeLarge(found.span, pointer)) heap.ReportMisuse(call, pointer);
  } else {
    FreeSmall(object, found.span->size_class);
  }
  errno = saved_errno;
}

size_t UsableSize(const void* pointer) {
  if (const SizeClass c = LiveSmallClass(pointer); PRAIRIE_LIKELY(c != 0)) {
    return kSizeClasses[c].size;
  }
  const Lookup found = heap.Find(pointer);
  return found.kind == Lookup::kObject ? found.size : 0;
}

}  // namespace prairie
