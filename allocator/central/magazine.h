// Magazines: arrays of free objects of one size class, which move between caches as a whole.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_MAGAZINE_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_MAGAZINE_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/arena/metadata_allocator.h"
#include "allocator/base/config.h"
#include "allocator/base/spin_lock.h"
#include "allocator/central/free_object.h"

namespace prairie {

// What lies at the bottom of every magazine: no object, and never intact, whatever the key.
extern PRAIRIE_HIDDEN FreeObject no_object;

// A header and `capacity` cells behind it, of which the first `count` hold objects. Below them is a
// cell that always holds `no_object`, which fails the check that an object must pass to be handed
// out: popping needs no other test for emptiness.
struct Magazine {
  uint32_t capacity = 0;
  uint32_t count = 0;  // Not kept while a thread has it: see ThreadCache.
  FreeObject* below = &no_object;

  FreeObject** cells() { return &below + 1; }
  // Where an empty one keeps the next of its list.
  Magazine*& next() { return *reinterpret_cast<Magazine**>(cells()); }
};

// Empty magazines, by capacity. What was made once is reused and never given back: it is a share of
// the objects that caches held at the peak, a pointer for each.
// On lines of its own, for its lock is everyone's. Thread safety: any thread; one lock.
class alignas(kCacheLineSize) MagazineStore {
 public:
  static constexpr uint32_t kLargest = 254;

  constexpr MagazineStore() = default;

  void Init(MetadataAllocator& metadata) { metadata_ = &metadata; }

  // An empty magazine of at least `capacity` cells (at most kLargest). Null if there is no memory.
  Magazine* Acquire(uint32_t capacity);
  // Takes it back, empty. Null does nothing.
  void Release(Magazine* magazine);

  // Zeroed room for `count` pointers to magazines, for ever. Null if there is no memory.
  Magazine** AllocateSlots(uint32_t count) {
    return static_cast<Magazine**>(metadata_->Allocate(count * sizeof(Magazine*)));
  }

  SpinLock& lock() { return lock_; }

 private:
  // 64 bytes and its doubles up to 2 KiB, header included.
  static constexpr int kSizes = 6;
  static constexpr size_t kSmallestBytes = 64;

  SpinLock lock_{LockRank::kMagazineStore};
  MetadataAllocator* metadata_ = nullptr;
  Magazine* empty_[kSizes] = {};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_MAGAZINE_H_
