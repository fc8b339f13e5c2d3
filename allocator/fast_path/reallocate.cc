// realloc: stay where it is if that is not wasteful, grow in place, move pages, and copy last.
#include <errno.h>
#include <string.h>

#include "allocator/fast_path/fast_path.h"

namespace prairie {
namespace {

// From this size on pages are moved rather than copied. A move leaves the old addresses without
// memory, and drops what the new ones had: whoever uses them next pays a fault for each page, which
// is more than copying it costs. But a copy needs twice the memory at its peak.
constexpr size_t kMoveFrom = 4 * kMiB;

// What a growing object is given beyond its need, as a share: what has grown will grow again, and
// pages that nobody touches cost address space only.
constexpr int kHeadroomShift = 3;

PageCount WithHeadroom(PageCount pages) { return {pages.value + (pages.value >> kHeadroomShift)}; }

// Whether somebody may miss the pages that an object has and does not need.
bool IsMemoryDear() { return heap.page_heap().is_scarce() || !heap.arena().reserved(); }

// Grows or shrinks a large object to `pages` without a copy. Null if that cannot be done.
void* ResizeLarge(Span* span, PageCount pages) {
  const uintptr_t address = heap.AddressOf(span);
  PageHeap& page_heap = heap.page_heap();
  if (pages <= span->pages) {
    // Headroom is kept where it costs nobody anything; what is clearly too much goes back.
    const PageCount most = IsMemoryDear() ? pages : WithHeadroom(WithHeadroom(pages));
    if (most < span->pages) page_heap.ShrinkInPlace(span, pages);
    return reinterpret_cast<void*>(address);
  }
  const auto grow = [&] {
    return page_heap.GrowInPlace(span, WithHeadroom(pages)) || page_heap.GrowInPlace(span, pages);
  };
  // What this thread keeps may lie in the way.
  if (grow() || (heap.FreeKept() && grow())) return reinterpret_cast<void*>(address);
  if (span->pages.bytes() < kMoveFrom) return nullptr;
  Span* moved = page_heap.Move(span, WithHeadroom(pages));
  if (moved == nullptr) moved = page_heap.Move(span, pages);
  return moved == nullptr ? nullptr : reinterpret_cast<void*>(heap.AddressOf(moved));
}

// Moves an object of `old_size` bytes by copying. Null if there is no memory: it is then as before.
void* Copy(void* pointer, size_t old_size, size_t size) {
  void* const copy = Allocate(size);
  if (copy == nullptr) {
    // A smaller object need not move; the rest of it is merely unused.
    return size <= old_size ? pointer : nullptr;
  }
  memcpy(copy, pointer, size < old_size ? size : old_size);
  Free(pointer, Call::kRealloc);
  return copy;
}

void* ReallocateSmall(void* pointer, size_t old_size, size_t size) {
  if (size <= old_size && size >= old_size / 2) return pointer;
  return Copy(pointer, old_size, size);
}

void* ReallocateLarge(void* pointer, Span* span, size_t size) {
  if (size > kMaxSmallSize) {
    if (size > heap.arena().window()) {
      heap.RecordFailure(size, MemoryLimit::kWindow);
      return nullptr;
    }
    const size_t old_size = span->pages.bytes();
    if (size > old_size && !heap.page_heap().MayGrant(size - old_size)) {
      heap.RecordFailure(size);
      return nullptr;
    }
    if (void* const resized = ResizeLarge(span, PagesFor(size))) return resized;
  } else if (IsMemoryDear()) {
    // There may be no other memory for the copy than what the object gives back.
    heap.page_heap().ShrinkInPlace(span, PagesFor(size));
  }
  void* const result = Copy(pointer, span->pages.bytes(), size);
  // It stays for want of memory, which is no reason to keep what it does not need.
  if (result == pointer) heap.page_heap().ShrinkInPlace(span, PagesFor(size));
  return result;
}

}  // namespace

void* Reallocate(void* pointer, size_t size) {
  if (const SizeClass c = LiveSmallClass(pointer); PRAIRIE_LIKELY(c != 0)) {
    return ReallocateSmall(pointer, kSizeClasses[c].size, size);
  }
  const int saved_errno = errno;
  const Lookup found = heap.Find(pointer);
  void* result = nullptr;
  if (found.kind == Lookup::kObject && found.span->kind == SpanKind::kSmall) {
    result = ReallocateSmall(pointer, found.size, size);  // It only looked as if it were free.
  } else if (found.kind == Lookup::kObject) {
    result = ReallocateLarge(pointer, found.span, size);
    heap.RelievePressure();
  } else {
    heap.ReportMisuse(Call::kRealloc, pointer);
  }
  errno = saved_errno;
  return result;
}

}  // namespace prairie
