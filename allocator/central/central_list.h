// The central list of a size class: its spans, and which of their objects are out.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_CENTRAL_LIST_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_CENTRAL_LIST_H_

#include <stddef.h>

#include "allocator/arena/size_classes.h"
#include "allocator/base/spin_lock.h"
#include "allocator/central/free_object.h"
#include "allocator/central/magazine.h"
#include "allocator/central/transferring.h"
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
  MagazineStore* magazines;
  Transferring* transferring;
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

  // Stores between 1 and `most` (at least 1) objects in `objects`, marked as free, of one span, the
  // next address last, so that whoever pops begins there. Returns how many; 0 if there is no
  // memory. They are not looked at: whoever hands one out sees whether it was written to while it
  // lay here.
  uint32_t Fetch(FreeObject** objects, uint32_t most);

  // Takes back `count` objects, without looking at them. The first that is in already is returned
  // as a fault: report it when no lock is held.
  ListFault Return(FreeObject* const* objects, uint32_t count);

  // Objects that live may lie far apart in their spans. Looks at up to kLooks spans with room, from
  // where the last call stopped, and gives back the memory of the pages in which nothing lives,
  // if as many objects were out at the eight looks before, or anyway, if `at_once`. Adds the
  // spans that had such pages to *released, and stops when these are `most`. True if it has come to
  // the end; the next call begins anew.
  bool ReleaseIdle(uint32_t most, bool at_once, uint32_t* released);

  // Whether caches should be small, and the most objects that one magazine should hold.
  bool frugal() const { return context_->page_heap->frugal(); }
  uint32_t MostInMagazine() const;
  PageCount turnover() const { return context_->page_heap->turnover(); }
  MagazineStore& magazines() const { return *context_->magazines; }
  Transferring& transferring() const { return *context_->transferring; }
  SizeClass size_class() const { return size_class_; }
  size_t object_size() const { return kSizeClasses[size_class_].size; }

  // Objects that are out.
  size_t allocated_count();
  // Whether `object` is out. Without the lock, so that a report can be made anywhere; exact for an
  // object that no other thread is freeing.
  bool IsAllocated(const void* object) const;

  SpinLock& lock() { return lock_; }

 private:
  Span* AllocateSpan();
  Span* NewSpan();
  void TakeHoles(Span* span, FreeObject** objects, uint32_t count);
  void Carve(Span* span, uint32_t count);
  void TouchBits(Span* span, uint32_t count);
  void MarkFirstUncarved(Span* span);
  ListFault ReturnLocked(FreeObject* const* objects, uint32_t count, bool* freed_span);
  // All objects of `span` are back: gives it to the page heap. Requires the lock.
  void FreeSpan(Span* span);
  FreeObject* ObjectAt(size_t offset) const {
    return reinterpret_cast<FreeObject*>(context_->arena_base + offset);
  }
  // The end of the last slot is where one more would begin.
  size_t SlotOffset(const Span* span, uint32_t slot) const {
    return span->first_page.offset() + span->first_slot + size_t{slot} * object_size();
  }
  size_t OffsetOf(const void* object) const {
    return reinterpret_cast<uintptr_t>(object) - context_->arena_base;
  }
  bool IsObject(const void* pointer) const;
  // Pages without memory (idle_pages.cc); all require the lock.
  bool ReleasePages(Span* span);
  bool ReleaseRun(Span* span, size_t begin, size_t end);
  void RestorePages(Span* span, FreeObject* const* objects, uint32_t count);
  void RestorePage(Span* span, PageId page);
  void RemoveWithRoom(Span* span);

  SpinLock lock_{LockRank::kCentralList};
  SizeClass size_class_ = 0;
  const CentralContext* context_ = nullptr;
  SpanList with_room_;
  Span* next_look_ = nullptr;  // of ReleaseIdle, in with_room_
  size_t allocated_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_CENTRAL_LIST_H_
