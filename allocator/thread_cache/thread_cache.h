// The thread cache: for each size class the magazine that malloc pops and free pushes, and a spare.
#ifndef PRAIRIE_ALLOCATOR_THREAD_CACHE_THREAD_CACHE_H_
#define PRAIRIE_ALLOCATOR_THREAD_CACHE_THREAD_CACHE_H_

#include <stdint.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <type_traits>

#include "allocator/arena/size_classes.h"
#include "allocator/base/compiler.h"
#include "allocator/central/transfer_cache.h"
#include "allocator/page_heap/recent_spans.h"

namespace prairie {

// A class has a capacity, which starts small and doubles as the class is used. When the magazine is
// full and an object comes, it becomes the spare, and the spare that was there moves on to the
// transfer cache; when it is empty, the spare takes its place. So a thread that frees and allocates
// around a boundary does not exchange with the others at every turn.
//
// Invariants, for a class with a magazine:
//   cells <= top <= limit <= cells + capacity of the magazine
//   every object in the magazine and the spare satisfies the invariant of FreeObject
// A class without one has those of a magazine without cells. That is so for all classes of the
// shared empty cache: the fast path needs no check for a thread without a cache, since it fails as
// for an empty or a full magazine. The shared empty cache is never written.
// Thread safety: belongs to its thread, but for the statistics, which others may read inexactly.
class ThreadCache {
  // What the fast path reads and writes: where the next object goes, and where no more fits. First,
  // so that an index is all it takes to get there. And copies of two tables, for they are at hand
  // here, while the address of a table is an instruction.
  FreeObject** tops_[kSizeClassCount];
  FreeObject** limits_[kSizeClassCount];
  uint64_t reciprocals_[kSizeClassCount];
  std::remove_const_t<decltype(kClassOfGranules)> class_of_granules_ = kClassOfGranules;

 public:
  constexpr ThreadCache() {
    std::fill(std::begin(tops_), std::end(tops_), &nothing.below + 1);
    std::fill(std::begin(limits_), std::end(limits_), &nothing.below + 1);
    std::copy(std::begin(kReciprocals), std::end(kReciprocals), std::begin(reciprocals_));
  }

  // Takes an object out of the magazine of class `c`, which leaves it without its mark. Null if the
  // magazine is empty, or if the object was written to after it was freed: see PopSmashed. The next
  // object, or the one that stands for none, is on its way from memory then: nobody has looked at
  // it since it was freed.
  PRAIRIE_ALWAYS_INLINE FreeObject* Pop(size_t c, uintptr_t key) {
    FreeObject** const top = tops_[c];
    FreeObject* const object = top[-1];
    if (PRAIRIE_UNLIKELY(!object->IsIntact(key))) return nullptr;
    tops_[c] = top - 1;
    __builtin_prefetch(top[-2], 1);
    object->mark = 0;
    return object;
  }

  // After Pop gave null: the object that was written to, taken out of the magazine and left out for
  // ever; null if the magazine is empty.
  FreeObject* PopSmashed(size_t c) {
    FreeObject* const object = tops_[c][-1];
    if (object == &no_object) return nullptr;
    --tops_[c];
    return object;
  }

  // See prairie::ClassOfSize and IsSlotStart.
  PRAIRIE_ALWAYS_INLINE SizeClass ClassOfSize(size_t size) const {
    return class_of_granules_[GranulesFor(size)];
  }
  PRAIRIE_ALWAYS_INLINE bool IsSlotStart(uint64_t offset, size_t c) const {
    return IsMultiple(offset, reciprocals_[c]);
  }

  // Marks `object` with `mark`, its FreeMark, and puts it into the magazine of class `c`. False if
  // that is full.
  PRAIRIE_ALWAYS_INLINE bool Push(FreeObject* object, uintptr_t mark, size_t c) {
    FreeObject** const top = tops_[c];
    if (PRAIRIE_UNLIKELY(top == limits_[c])) return false;
    object->SetFree(mark);
    *top = object;
    Forget(c);  // Or an instruction computes the address of tops_[c].
    tops_[c] = top + 1;
    return true;
  }

  // The magazine and the spare of class `c` change places, if it is as large as it gets: where the
  // magazine is empty, and the spare has objects; or the magazine is full, and the spare is empty.
  // False, with nothing changed, if it is not so; and TakeFullSpare also when IsLookDue, so that
  // the caller goes the long way and looks after what is idle. The first step of slow paths: it is
  // mostly enough, and touches nothing but this thread's cache.
  bool TakeFullSpare(SizeClass c);
  // REQUIRES: the magazine is full.
  bool TakeEmptySpare(SizeClass c);

  // The magazine of class `c` is empty: puts the spare, or one from the transfer cache, there.
  // False if there is no memory.
  bool Refill(SizeClass c, TransferCache& transfer);

  // The magazine of class `c` is full: makes room for at least one object. False if there is no
  // memory for a magazine. Notes a fault found in what had to move on.
  bool MakeRoom(SizeClass c, TransferCache& transfer, ListFault* fault);

  // Whether this thread has had objects of class `c`.
  bool knows(SizeClass c) const { return classes_[c].magazine != nullptr; }

  // The objects in the magazine of class `c` are the last to be handed out again: others from the
  // transfer cache come before them, if there is memory. REQUIRES: there is no spare yet.
  void KeepForLast(SizeClass c, TransferCache& transfer);

  // If class `c` seems to have been of no use for transfer.patience(): its objects go home, so that
  // they do not hold spans for nothing, and its capacity is halved. `now` never runs backwards, but
  // may wrap. A fault is noted.
  void ReturnUnused(SizeClass c, PageCount now, TransferCache& transfer, ListFault* fault);

  // Gives everything back: to `transfers`, one for each class, or, with `home`, at once to their
  // central lists. Returns the first fault.
  ListFault Flush(TransferCache* transfers, bool home = false);

  // Objects of class `c` in this cache; inexact while its thread runs.
  uint32_t cached_count(SizeClass c) const;
  // Objects that fit into the magazine of class `c` now.
  uint32_t room(SizeClass c) const { return static_cast<uint32_t>(limits_[c] - tops_[c]); }

  // For the registry of threads, and for the thread's end.
  ThreadCache* next = nullptr;
  ThreadCache* previous = nullptr;
  uint32_t exit_rounds = 0;
  // Magazines found empty or full so far, and an eighth of the large objects that were kept,
  // wrapping round; how many of them call_time has counted;
  // and from how many on the next one looks at the clock.
  static constexpr uint32_t kSlowCallsToALook = 8;
  uint32_t slow_calls = 0;
  uint32_t timed_calls = 0;
  uint32_t look_due = kSlowCallsToALook;
  bool IsLookDue() const { return static_cast<int32_t>(slow_calls - look_due) >= 0; }
  // The time of ReturnUnused, less the turnover; when it looked after what is unused last, and at
  // which class here and in transfer caches.
  PageCount call_time;
  PageCount last_look;
  // Large spans that this thread freed last; whether one was taken since the last look, or was the
  // first to come, and the time of the last look that saw so.
  RecentSpans recent;
  uint32_t recent_calls = 0;  // of free
  bool recent_used = false;
  PageCount recent_use;
  SizeClass idle_class = 0;
  SizeClass idle_transfer = 0;

 private:
  static Magazine nothing;

  // What the slow paths need of a class, together. The headers of magazines are read only when they
  // come and written only when they go: in between they are seldom in the processor's cache.
  struct ClassState {
    Magazine* magazine = nullptr;
    Magazine* spare = nullptr;
    uint16_t cells = 0;        // of the magazine
    uint16_t spare_cells = 0;  // of the spare
    uint16_t spare_count = 0;  // objects in it
    uint16_t capacity = 0;
    FreeObject** seen_top = nullptr;  // by ReturnUnused, null: used since,
    PageCount seen_at;                // and since when.
    PageCount went_at;                // The turnover when they went home for being unused,
    bool went_unused = false;         // and were not wanted since.
  };

  // Makes `magazine`, with `count` objects and `cells` cells, that of class `c`.
  void Install(SizeClass c, Magazine* magazine, uint32_t count, uint32_t cells);
  void Install(SizeClass c, Magazine* magazine) {
    Install(c, magazine, magazine->count, magazine->capacity);
  }
  // Objects in the magazine of class `c`, which must have one.
  uint32_t Count(SizeClass c) const {
    return static_cast<uint32_t>(tops_[c] - classes_[c].magazine->cells());
  }
  bool IsLargest(SizeClass c) const { return classes_[c].capacity >= kSizeClasses[c].max_cached; }
  // Makes the magazine of class `c`, which must have one, the spare.
  void Spare(SizeClass c);
  // The magazine and the spare of class `c`, which must have both, change places.
  void Swap(SizeClass c);
  // Takes the spare out, with its count.
  Magazine* TakeSpare(SizeClass c);
  // Gives the objects of class `c` back, all of them.
  ListFault ReturnAll(SizeClass c, TransferCache& transfer);
  // The next capacity of class `c`.
  uint32_t Grown(SizeClass c, const TransferCache& transfer) const;

  ClassState classes_[kSizeClassCount];
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_THREAD_CACHE_THREAD_CACHE_H_
