// The thread cache: for each size class one list that malloc pops and free pushes, and a spare.
#ifndef PRAIRIE_ALLOCATOR_THREAD_CACHE_THREAD_CACHE_H_
#define PRAIRIE_ALLOCATOR_THREAD_CACHE_THREAD_CACHE_H_

#include <stdint.h>

#include "allocator/arena/size_classes.h"
#include "allocator/base/compiler.h"
#include "allocator/central/transfer_cache.h"

namespace prairie {

// A list has a capacity, which starts small and doubles as the class is used. When it is full and
// an object comes, the whole list becomes the spare, and the spare that was there moves on to the
// transfer cache; when it is empty, the spare takes its place. So a thread that frees and
// allocates around a boundary does not exchange with the others at every turn.
//
// Invariants:
//   room[c] == capacity[c] - (objects on heads[c])
//   every object on heads[c] and spares[c] is a FreeObject that satisfies its invariant
// The shared empty cache has room for nothing and holds nothing, so the fast path needs no check
// for a thread without a cache: it fails as for an empty or a full list. It is never written.
// Thread safety: belongs to its thread, but for the statistics, which others may read inexactly.
class ThreadCache {
 public:
  constexpr ThreadCache() = default;

  // The list of class `c` is empty: puts the spare, or a list from the transfer cache, there.
  // False if there is no memory, or with a fault: see CentralList::Fetch.
  bool Refill(SizeClass c, TransferCache& transfer, ListFault* fault);

  // The list of class `c` is full: makes room for at least one object. Returns the first fault
  // found in what had to move on.
  ListFault MakeRoom(SizeClass c, TransferCache& transfer);

  // Gives everything back. `transfers`: one for each class. Returns the first fault.
  ListFault Flush(TransferCache* transfers);

  // Objects of class `c` in this cache; inexact while its thread runs.
  uint32_t cached_count(SizeClass c) const { return (capacity_[c] - room[c]) + spares_[c].count; }
  // Forgets the (smashed) list of class `c`.
  void DropList(SizeClass c) {
    heads[c] = nullptr;
    room[c] = capacity_[c];
  }

  // What the fast path reads and writes.
  FreeObject* heads[kSizeClassCount] = {};
  uint32_t room[kSizeClassCount] = {};

  // For the registry of threads, and for the thread's end.
  ThreadCache* next = nullptr;
  ThreadCache* previous = nullptr;
  uint32_t exit_rounds = 0;
  // Refills and full lists so far: now and then one of them looks after what is idle.
  uint32_t slow_calls = 0;

 private:
  uint32_t capacity_[kSizeClassCount] = {};
  ObjectList spares_[kSizeClassCount] = {};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_THREAD_CACHE_THREAD_CACHE_H_
