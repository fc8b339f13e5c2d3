// The transfer cache of a size class: whole lists on their way from one thread to another.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_TRANSFER_CACHE_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_TRANSFER_CACHE_H_

#include "allocator/central/central_list.h"

namespace prairie {

// A list goes in and comes out in constant time; only what does not fit is taken apart and
// returned to the spans by the central list. It is a stack, so what a burst of frees has left at
// the bottom and nobody needs is known by a low-water mark: see ReturnIdle. Invariant: least_used_
// <= used_ <= kSlots. Thread safety: any thread; one lock for each class.
class TransferCache {
 public:
  constexpr TransferCache() = default;

  void Init(SizeClass size_class, const CentralContext& context) {
    central_.Init(size_class, context);
  }

  // A list that some thread gave, of any length, or up to `most` objects from the central list.
  // Empty if there is no memory, or with a fault: see CentralList::Fetch.
  ObjectList Take(uint32_t most, ListFault* fault);

  // Takes over a list. A fault found on the way is returned, to be reported without locks.
  ListFault Give(ObjectList list);

  // Empties the cache into the central list, so that spans become free.
  ListFault Flush();

  // To be called once an epoch. Of the lists that lay here unused since the last call half, rounded
  // up, go to the central list, the oldest ones. Returns how many; a fault is noted if there was
  // none before.
  uint32_t ReturnIdle(ListFault* fault);

  // Objects waiting here.
  size_t cached_count();

  // The most objects that one list of a thread cache should have.
  uint32_t LongestList() const { return central_.LongestList(); }

  CentralList& central() { return central_; }
  SpinLock& lock() { return lock_; }

 private:
  static constexpr uint32_t kSlots = 32;
  static constexpr uint32_t kFrugalSlots = 2;

  // The newest list; requires the lock and used_ > 0.
  ObjectList Pop() {
    const ObjectList list = lists_[--used_];
    if (used_ < least_used_) least_used_ = used_;
    return list;
  }

  SpinLock lock_{LockRank::kTransferCache};
  uint32_t used_ = 0;
  uint32_t least_used_ = 0;  // since the last ReturnIdle
  ObjectList lists_[kSlots];
  CentralList central_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_TRANSFER_CACHE_H_
