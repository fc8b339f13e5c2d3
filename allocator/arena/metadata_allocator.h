// Memory for the allocator's own structures: spans, thread caches. Outside the arena's pages, so
// that no object of a program lies next to it.
#ifndef PRAIRIE_ALLOCATOR_ARENA_METADATA_ALLOCATOR_H_
#define PRAIRIE_ALLOCATOR_ARENA_METADATA_ALLOCATOR_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/arena/flat_region.h"
#include "allocator/base/spin_lock.h"

namespace prairie {

// Hands out zeroed memory that is never given back to the system; ObjectPool reuses it by type.
// Thread safety: any thread.
class MetadataAllocator {
 public:
  constexpr MetadataAllocator() = default;

  // `slack`: bytes by which it grows at once. `reserved`: see FlatRegion.
  void Init(OsMemory& os, uintptr_t base, size_t capacity, size_t slack, bool reserved = false) {
    region_.Init(os, base, capacity, reserved);
    slack_ = slack;
  }

  // See FlatRegion. False, with nothing changed, also while the lock is held, so that it may be
  // called anywhere.
  bool TryLeaveReserved() {
    if (!lock_.TryLock()) return false;
    const bool left = region_.LeaveReserved();
    lock_.Unlock();
    return left;
  }

  // `size` bytes of zeroes, aligned to a cache line if `size` is at least one, else to 16.
  // Null if the system has no more.
  void* Allocate(size_t size);

  size_t committed_bytes() {
    SpinLockHolder holder(lock_);
    return region_.committed();
  }
  SpinLock& lock() { return lock_; }

 private:
  SpinLock lock_{LockRank::kMetadata};
  FlatRegion region_;
  size_t used_ = 0;
  size_t slack_ = 0;
};

// Objects of one type, recycled. An object that comes back from Release keeps its bytes: a reader
// that holds a stale pointer still reads a T. T must be valid as zero bytes and be at least a
// pointer in size. Thread safety: the caller serializes.
template <typename T>
class ObjectPool {
 public:
  constexpr ObjectPool() = default;

  void Init(MetadataAllocator& metadata) { metadata_ = &metadata; }

  // A zeroed or recycled T; null if the system has no more memory.
  T* Acquire() {
    if (free_ == nullptr) return static_cast<T*>(metadata_->Allocate(sizeof(T)));
    T* object = free_;
    free_ = object->next;
    return object;
  }

  // Uses the member `next` of the object for its list.
  void Release(T* object) {
    object->next = free_;
    free_ = object;
  }

 private:
  MetadataAllocator* metadata_ = nullptr;
  T* free_ = nullptr;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_ARENA_METADATA_ALLOCATOR_H_
