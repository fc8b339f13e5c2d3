#include "allocator/arena/arena.h"

namespace prairie {
namespace {

// The metadata allocator's claim: spans are 64 bytes for 8 KiB at the very most.
constexpr int kMetadataShift = 6;

// The page index keeps 208 bytes for each 512 pages and summaries of a sixteenth of that; see
// PageIndex, which checks that these claims hold it.
constexpr size_t kIndexChunkBytes = 4 * kMiB;

struct Candidate {
  uintptr_t base;
  size_t window;  // The widest that fits before the next obstacle; 0: as wide as wished.
};

// Where the arena may begin, in order of preference. The last two are for processors with 39-bit
// addresses and for emulators, where the first ones do not exist.
constexpr Candidate kCandidates[] = {
    {kArenaHint, 0},
    {kArenaHint + 1 * kArenaHintStep, 0},
    {kArenaHint + 2 * kArenaHintStep, 0},
    {kArenaHint + 3 * kArenaHintStep, 0},
    {kArenaHint + 4 * kArenaHintStep, 0},
    {uintptr_t{0x1c} << 32, 64 * kGiB},
    {uintptr_t{0x0c} << 32, 32 * kGiB},
};

size_t WantedWindow(const OsMemory& os) {
  size_t window = RoundUp(os.PhysicalMemory() * 4, kTiB);
  if (window < kMinWindow) window = kMinWindow;
  return window < kMaxWindow ? window : kMaxWindow;
}

}  // namespace

ArenaLayout ArenaLayout::For(size_t window) {
  ArenaLayout layout;
  layout.window = window;
  size_t distance = kClassMapDistance;
  const auto below = [&distance](size_t bytes) {
    distance += RoundUp(bytes, kHugePageSize);
    return distance;
  };
  layout.span_map_distance = below((window >> kPageShift) * sizeof(void*));
  for (size_t& plane : layout.bitmap_distance) plane = below((window >> kGranuleShift) / 8);
  layout.index_chunks_distance = below(window / kIndexChunkBytes * 208);
  layout.index_summaries_distance = below(window / kIndexChunkBytes + kMiB);
  layout.metadata_bytes = window >> kMetadataShift;
  layout.metadata_distance = below(layout.metadata_bytes);
  return layout;
}

bool Arena::TryReserve(uintptr_t base, size_t window) {
  const size_t size = window < kInitialReservation ? window : kInitialReservation;
  if (os_->ReserveAt(base, size) != MapResult::kOk) return false;
  base_ = base;
  reserved_ = true;
  reservation_ = size;
  layout_ = ArenaLayout::For(window);
  return true;
}

bool Arena::TryClaim(uintptr_t base, size_t window) {
  // One page shows whether the address exists and is free.
  const size_t page = os_->PageSize();
  if (os_->MapAt(base, page) != MapResult::kOk) return false;
  os_->Unmap(base, page);
  base_ = base;
  reserved_ = false;
  reservation_ = window;
  layout_ = ArenaLayout::For(window);
  return true;
}

bool Arena::Init(OsMemory& os, bool force_unreserved) {
  os_ = &os;
  const size_t wanted = WantedWindow(os);
  if (!force_unreserved && os.AddressSpaceLimit() == SIZE_MAX) {
    for (const Candidate& candidate : kCandidates) {
      if (TryReserve(candidate.base, candidate.window == 0 ? wanted : candidate.window)) {
        return true;
      }
    }
    // Wherever the kernel likes: one range for the arena, its arrays below it, and alignment.
    const size_t window = 64 * kGiB;
    const size_t below = ArenaLayout::For(window).metadata_distance;
    const size_t size = window + below + kArenaAlignment;
    const uintptr_t found = os.ReserveAnywhere(size);
    if (found != 0) {
      const uintptr_t base = RoundUp(found + below, kArenaAlignment);
      // The arrays are mapped as they grow, so their claims must be free again. Another thread's
      // mapping may fall there in the meantime: their growth then fails as at a limit.
      os.Unmap(found, base - found);
      base_ = base;
      reserved_ = true;
      reservation_ = window;
      layout_ = ArenaLayout::For(window);
      return true;
    }
  }
  for (const Candidate& candidate : kCandidates) {
    if (TryClaim(candidate.base, candidate.window == 0 ? wanted : candidate.window)) return true;
  }
  return false;
}

bool Arena::LeaveReservedMode(PageId frontier) {
  const uintptr_t begin = AddressOf(frontier);
  const uintptr_t end = base_ + reservation_;
  if (begin < end && !os_->Unmap(begin, end - begin)) return false;
  reserved_ = false;
  reservation_ = layout_.window;
  return true;
}

MapResult Arena::Extend(PageRun run) {
  const size_t end = run.end().offset();
  if (end > layout_.window) return MapResult::kNoMemory;
  if (!reserved() || end <= reservation_) return MapResult::kOk;
  // Past a hole the run begins above what is reserved.
  const size_t from = run.begin.offset() > reservation_ ? run.begin.offset() : reservation_;
  // Double if the range is free, else take what is needed.
  size_t wanted = reservation_ * 2;
  if (wanted < end) wanted = RoundUp(end, kArenaAlignment);
  if (wanted > layout_.window) wanted = layout_.window;
  const size_t needed = RoundUp(end, kHugePageSize);
  MapResult result = os_->ReserveAt(base_ + from, wanted - from);
  if (result != MapResult::kOk && wanted != needed) {
    wanted = needed;
    result = os_->ReserveAt(base_ + from, needed - from);
  }
  if (result == MapResult::kOk) reservation_ = wanted;
  return result;
}

MapResult Arena::Commit(PageRun run) {
  const uintptr_t address = AddressOf(run.begin);
  return reserved() ? os_->Commit(address, run.length.bytes())
                    : os_->MapAt(address, run.length.bytes());
}

bool Arena::Discard(PageRun run) { return os_->Discard(AddressOf(run.begin), run.length.bytes()); }

bool Arena::Release(PageRun run) {
  const uintptr_t address = AddressOf(run.begin);
  return reserved() ? os_->Decommit(address, run.length.bytes())
                    : os_->Unmap(address, run.length.bytes());
}

}  // namespace prairie
