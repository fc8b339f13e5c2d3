// Memory for one flat array: a fixed claim of addresses, committed from its low end as it grows.
#ifndef PRAIRIE_ALLOCATOR_ARENA_FLAT_REGION_H_
#define PRAIRIE_ALLOCATOR_ARENA_FLAT_REGION_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/os/os_memory.h"

namespace prairie {

// Invariant: [base, base + committed) is committed and was zero when it became so; the rest of the
// claim is reserved if `reserved` was said at Init, else nothing else of it is mapped by us, so
// that only what is used counts toward a limit. Thread safety: the caller serializes all but the
// getters; what is committed may be read by anyone.
class FlatRegion {
 public:
  constexpr FlatRegion() = default;

  // Claims [base, base + capacity), to the end of its last OS page, which is all reserved or all
  // not mapped. Maps nothing.
  void Init(OsMemory& os, uintptr_t base, size_t capacity, bool reserved = false);

  // Makes the first `bytes` usable, and up to `slack` more if that can be had at once. Returns
  // false (nothing lost) if the system gives no memory, if a foreign mapping is in the way, or if
  // `bytes` exceeds the claim.
  bool EnsureBytes(size_t bytes, size_t slack) { return bytes <= committed_ || Grow(bytes, slack); }

  // Gives back what is committed beyond the first `bytes`, which nobody has used. What the system
  // does not take stays.
  void Trim(size_t bytes);

  // Gives back what is reserved and not committed. From then on it grows as if nothing had been.
  // False if the system does not take it: all stays as it was.
  bool LeaveReserved();

  uintptr_t base() const { return base_; }
  size_t committed() const { return committed_; }
  size_t capacity() const { return capacity_; }

 private:
  bool Grow(size_t bytes, size_t slack);

  OsMemory* os_ = nullptr;
  uintptr_t base_ = 0;
  size_t capacity_ = 0;
  size_t committed_ = 0;
  bool reserved_ = false;
};

// A FlatRegion seen as an array of T. T must be valid as zero bytes.
template <typename T>
class FlatArray {
 public:
  constexpr FlatArray() = default;

  // Bytes of address space for `count` elements.
  static constexpr size_t BytesFor(size_t count) { return count * sizeof(T); }

  void Init(OsMemory& os, uintptr_t base, size_t count, bool reserved = false) {
    data_ = reinterpret_cast<T*>(base);
    region_.Init(os, base, BytesFor(count), reserved);
  }

  // Makes elements [0, count) usable. Returns false as EnsureBytes does.
  bool EnsureCount(size_t count, size_t slack_bytes) {
    return region_.EnsureBytes(BytesFor(count), slack_bytes);
  }

  // Makes it no longer than `count` elements and some more bytes. See FlatRegion.
  void Trim(size_t count, size_t slack_bytes) { region_.Trim(BytesFor(count) + slack_bytes); }

  void LeaveReserved() { region_.LeaveReserved(); }

  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  // For a loop: the elements, wherever its stores go, stay where they are.
  T* data() const { return data_; }
  size_t committed_bytes() const { return region_.committed(); }

 private:
  T* data_ = nullptr;
  FlatRegion region_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_ARENA_FLAT_REGION_H_
