// The central list of a size class: its spans, and which of their objects are out.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_CENTRAL_LIST_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_CENTRAL_LIST_H_

#include <stddef.h>

#include "allocator/arena/size_classes.h"
#include "allocator/base/spin_lock.h"
#include "allocator/central/free_object.h"
#include "allocator/page_heap/page_heap.h"
#include "allocator/pages/heap_bitmap.h"
#include "allocator/pages/page_map.h"
#include "allocator/pages/span.h"

namespace prairie {

// What the central lists share.
struct CentralContext {
  PageHeap* page_heap;
  PageMap* page_map;
  BitmapPlane* allocated;
  uintptr_t arena_base;
  const std::atomic<size_t>* extent;  // the frontier in bytes
  uintptr_t mark_key;
};

// Thread safety: any thread; one lock for each class.
// The allocated bit of an object is set exactly while it is out, i.e. in a program's hands or in a
// thread or transfer cache.
class CentralList {
 public:
  constexpr CentralList() = default;

  void Init(SizeClass size_class, const CentralContext& context) {
    size_class_ = size_class;
    context_ = &context;
  }

  // Between 1 and `most` objects, marked as free, preferably of one span and in address order.
  // An empty list if there is no memory, or if all that was looked at had been written to after
  // it was freed, which is a fault and leaves the object out for ever: call again.
  ObjectList Fetch(uint32_t most, ListFault* fault);

  // Takes back objects. Those that are not out, and everything behind a smashed link, are left
  // out and the first such fault is returned: report it when no lock is held.
  ListFault Return(ObjectList list);

  // Whether caches should be small, and the most objects that one list of a thread cache should
  // have.
  bool frugal() const { return context_->page_heap->frugal(); }
  uint32_t LongestList() const;

  // Objects that are out.
  size_t allocated_count();
  // Whether `object` is out. Without the lock, so that a report can be made anywhere; exact for an
  // object that no other thread is freeing.
  bool IsAllocated(const void* object) const;

  SpinLock& lock() { return lock_; }

 private:
  Span* AllocateSpan();
  Span* NewSpan();
  void MarkFirstUncarved(Span* span);
  ListFault ReturnLocked(ObjectList list, bool* freed_span);
  // `count` objects of `span` are back, the lowest at offset `lowest`. Returns whether that was the
  // last of them, in which case the span is gone. Requires the lock.
  bool TakeBack(Span* span, uint32_t count, size_t lowest);
  bool IsObject(const void* pointer) const;

  SpinLock lock_{LockRank::kCentralList};
  SizeClass size_class_ = 0;
  const CentralContext* context_ = nullptr;
  SpanList with_room_;
  size_t allocated_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_CENTRAL_LIST_H_
