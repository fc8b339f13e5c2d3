// The arena: one contiguous range of addresses, owned in one of two ways.
//
//   reserved    the addresses belong to us without access (PROT_NONE); commit is mprotect. The
//               reservation starts at 4 GiB and doubles in place.
//   unreserved  nothing is reserved, because the kernel charges address space to RLIMIT_AS or
//               would not give it, or because addresses are narrow; pages are mapped as they are
//               needed and unmapped when free.
//
// Everything above is unaware which is in force. Around the arena lie, at fixed distances below its
// base, the claims of the flat arrays: see Layout.
#ifndef PRAIRIE_ALLOCATOR_ARENA_ARENA_H_
#define PRAIRIE_ALLOCATOR_ARENA_ARENA_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "allocator/base/pages.h"
#include "allocator/os/os_memory.h"

namespace prairie {

// Where the flat arrays of a window lie, in bytes from the base of the arena downwards.
//
//   base - kClassMapDistance    class map     one byte a page; the distance is a constant, so the
//                                             fast path finds it from the base alone
//   below it, downwards:        span map      8 bytes a page
//                               heap bitmap   four planes, one bit a granule each
//                               page index    the free-page bitmaps and their summaries
//                               metadata      spans, thread caches
struct ArenaLayout {
  static constexpr size_t kClassMapDistance = RoundUp(kMaxWindow >> kPageShift, kHugePageSize);
  static constexpr int kBitmapPlanes = 4;

  size_t window = 0;  // bytes
  size_t span_map_distance = 0;
  size_t bitmap_distance[kBitmapPlanes] = {};
  size_t index_chunks_distance = 0;
  size_t index_summaries_distance = 0;
  size_t metadata_distance = 0;
  size_t metadata_bytes = 0;

  // The layout for a window of `window` bytes, a multiple of kArenaAlignment.
  static ArenaLayout For(size_t window);
};

// Thread safety: Init first; then the page heap's lock covers every call but the getters.
class Arena {
 public:
  constexpr Arena() = default;

  // Chooses the base and the mode. Returns false if not even the first page can be had, in which
  // case it may be called again. `force_unreserved` rules out reserving.
  bool Init(OsMemory& os, bool force_unreserved);

  uintptr_t base() const { return base_; }
  size_t window() const { return layout_.window; }
  const ArenaLayout& layout() const { return layout_; }
  bool reserved() const { return reserved_.load(std::memory_order_relaxed); }
  // Whether the claims of the flat arrays are reserved as well. Only at Init; the arrays are told
  // when the arena leaves the reserved mode.
  bool claims_reserved() const { return claims_reserved_; }
  // Whether nobody else maps anything inside the window, unless asked to. Narrow addresses are
  // shared.
  static constexpr bool exclusive() { return !kNarrowAddresses; }
  // Bytes obtained as reservation, or claimed in the unreserved mode.
  size_t reservation() const { return reservation_; }
  OsMemory& os() const { return *os_; }

  uintptr_t AddressOf(PageId page) const { return base_ + page.offset(); }
  // REQUIRES: base() <= address < base() + window().
  PageId PageOf(uintptr_t address) const {
    return {static_cast<uint32_t>((address - base_) >> kPageShift)};
  }

  // reserved → unreserved mode, for good: what is reserved from `frontier` on is given back. False,
  // with nothing changed, if the system does not take it. What is reserved below the frontier is
  // then the caller's to Release, and if the claims were reserved, the arrays' to give up.
  bool LeaveReservedMode(PageId frontier);

  // Makes [begin, begin + length) ours to commit. kOccupied: a foreign mapping lies within; the
  // caller steps over it. kNoMemory: the end of the window, or no more address space.
  MapResult Extend(PageRun run);

  // After Extend(run): if it has made the reservation longer than `before`, gives that back. What
  // the system does not take stays.
  void Retract(PageRun run, size_t before);

  // Ours and not committed → committed, reading as zero. kOccupied only in the unreserved mode.
  MapResult Commit(PageRun run);

  // Committed → committed, contents dropped. False: they may be left. In bytes: whole OS pages.
  bool Discard(PageRun run) { return Discard(run.begin.offset(), run.length.bytes()); }
  bool Discard(size_t offset, size_t size) { return os_->Discard(base_ + offset, size); }

  // Committed → not committed: in reserved mode decommitted, in the unreserved mode unmapped.
  bool Release(PageRun run);

 private:
  bool MayTry(uintptr_t base, const ArenaLayout& layout) const;
  // Takes this place, in the unreserved mode.
  void Settle(uintptr_t base, const ArenaLayout& layout);
  bool TryReserve(uintptr_t base, size_t window);
  bool TryClaim(uintptr_t base, size_t window);
  // Where the kernel likes.
  bool ReserveAnywhere();
  bool ClaimAnywhere();
  bool ClaimNarrow();

  OsMemory* os_ = nullptr;
  uintptr_t base_ = 0;
  size_t reservation_ = 0;
  std::atomic<bool> reserved_{false};  // Changes under the lock; statistics read it without.
  bool claims_reserved_ = false;
  ArenaLayout layout_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_ARENA_ARENA_H_
