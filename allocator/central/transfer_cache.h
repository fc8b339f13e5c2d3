// The transfer cache of a size class: whole magazines on their way from one thread to another.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_TRANSFER_CACHE_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_TRANSFER_CACHE_H_

#include "allocator/central/central_list.h"
#include "allocator/central/magazine.h"

namespace prairie {

// A magazine goes in and comes out in constant time, and no object is looked at; only what does not
// fit is taken apart and returned to the spans by the central list. Who takes one leaves an empty
// one, which is for whoever brings the next. It is a stack, so what a burst of frees has left at
// the bottom and nobody needs is known by a low-water mark: see ReturnIdle. Invariant: least_used_
// <= used_ <= slots_, a power of two or 0. On lines of its own, since two processors seldom use one
// class. Thread safety: any thread; one lock for each class.
class alignas(kCacheLineSize) TransferCache {
 public:
  static constexpr PageCount kLeastPatience = {64};
  static constexpr PageCount kMostPatience = {4096};
  static constexpr uint32_t kFrugalPart = 8;

  constexpr TransferCache() = default;

  void Init(SizeClass size_class, const CentralContext& context) {
    central_.Init(size_class, context);
  }

  // A magazine with objects that some thread gave, of any number, in exchange for `empty`; or
  // `empty` with up to `most` objects from the central list. It has none if there is no memory.
  // REQUIRES: most <= empty->capacity.
  Magazine* Take(Magazine* empty, uint32_t most);

  // Takes over a magazine with objects. Returns an empty one for it, or null if none is at hand. A
  // fault found on the way is noted, to be reported without locks.
  Magazine* Give(Magazine* full, ListFault* fault);

  // Empties the cache into the central list, so that spans become free.
  ListFault Flush();

  // To be called once an epoch. Of the magazines that lay here unused since the last call half,
  // rounded up, but at most kMostAtATime, go to the central list, the oldest ones. Returns how
  // many; a fault is noted if there was none before.
  uint32_t ReturnIdle(ListFault* fault);

  // If nothing came or went while the page heap handed out patience(): the oldest kMostAtATime
  // magazines go to the central list, so that they do not hold spans that others could have. A
  // fault is noted.
  void ReturnUnused(ListFault* fault);
  // How many pages must be handed out before what is unused goes home, here and in thread caches.
  PageCount patience() const {
    const uint32_t patience = patience_.load(std::memory_order_relaxed);
    return {central_.frugal() ? patience / kFrugalPart : patience};
  }
  // To be called when objects that went home as unused, at the turnover `went`, are wanted again:
  // more patience if that is soon, less if it is long after.
  void Learn(PageCount went);

  // The magazine that came last goes to the central list: it is the likeliest to be in the
  // processor's cache, and what is idle goes by itself. False if there is none.
  bool ReturnNewest(ListFault* fault);

  // Bytes of the objects waiting here; inexact while others come and go.
  size_t held() const { return held_.load(std::memory_order_relaxed); }
  // Objects waiting here.
  size_t cached_count();

  // Of the page heap: the time in which what is unused is measured.
  PageCount turnover() const { return central_.turnover(); }

  // The most objects that one magazine should hold.
  uint32_t MostInMagazine() const { return central_.MostInMagazine(); }
  MagazineStore& magazines() const { return central_.magazines(); }

  CentralList& central() { return central_; }
  SpinLock& lock() { return lock_; }

 private:
  static constexpr uint32_t kSlots = 128;
  static constexpr uint32_t kFrugalSlots = 2;
  static constexpr uint32_t kMostEmpty = 4;
  static constexpr uint32_t kMostAtATime = 16;

  // The `age`-th oldest magazine; requires the lock.
  Magazine*& Slot(uint32_t age) { return full_[(oldest_ + age) & (slots_ - 1)]; }
  // So many objects came in, or went out; requires the lock.
  void Count(uint32_t objects, bool in);
  // The newest magazine; requires the lock and used_ > 0.
  Magazine* Pop() {
    Magazine* const full = Slot(--used_);
    if (used_ < least_used_) least_used_ = used_;
    if (used_ == 0) central_.transferring().Set(central_.size_class(), false);
    Count(full->count, false);
    return full;
  }
  // Room for one more magazine, if it may have more and there is memory; requires the lock.
  bool EnsureSlot();
  // Takes the `count` oldest out; requires the lock.
  void RemoveOldest(uint32_t count, Magazine** removed);
  // Empties `full` into the central list and keeps nothing of it.
  ListFault TakeApart(Magazine* full);
  void TakeApart(Magazine** full, uint32_t count, ListFault* fault);

  SpinLock lock_{LockRank::kTransferCache};
  uint32_t used_ = 0;
  uint32_t oldest_ = 0;      // where in full_, which is a ring
  uint32_t least_used_ = 0;  // since the last ReturnIdle
  uint32_t empty_count_ = 0;
  PageCount last_use_;        // the turnover of the page heap then
  bool went_unused_ = false;  // Magazines went home as unused, and nobody asked for one since,
  PageCount went_at_;         // last at this turnover.
  std::atomic<uint32_t> patience_{kLeastPatience.value};
  std::atomic<size_t> held_{0};  // bytes
  Magazine* empty_[kMostEmpty] = {};
  Magazine** full_ = nullptr;
  uint32_t slots_ = 0;  // in full_; only grows, while it is empty
  CentralList central_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_TRANSFER_CACHE_H_
