#include "allocator/arena/arena.h"

namespace prairie {
namespace {

// The metadata allocator's claim: spans are 64 bytes for 8 KiB at the very most.
constexpr int kMetadataShift = 6;

// The page index keeps 208 bytes for each 512 pages and summaries of a sixteenth of that; see
// PageIndex, which checks that these claims hold it.
constexpr size_t kIndexChunkBytes = 4 * kMiB;
constexpr size_t IndexBytes(size_t window) { return window / kIndexChunkBytes * 208; }

struct Candidate {
  uintptr_t base;
  size_t window;  // The widest that fits before the next obstacle; 0: as wide as wished.
};

// Where the arena may begin, in order of preference. The sixth is where AddressSanitizer leaves
// room; the last two are for processors with 39-bit addresses, for emulators, where the others do
// not exist, and for ThreadSanitizer.
constexpr Candidate kCandidates[] = {
    {kArenaHint, 0},
    {kArenaHint + 1 * kArenaHintStep, 0},
    {kArenaHint + 2 * kArenaHintStep, 0},
    {kArenaHint + 3 * kArenaHintStep, 0},
    {kArenaHint + 4 * kArenaHintStep, 0},
    {kArenaHint + 32 * kArenaHintStep, 0},
    {ByAddressWidth(uint64_t{0x1c} << 32, 0), ByAddressWidth(64 * uint64_t{kGiB}, 0)},
    {ByAddressWidth(uint64_t{0x0c} << 32, 0), ByAddressWidth(32 * uint64_t{kGiB}, 0)},
};

// The window where the kernel chooses the place, and what lies there is unknown.
constexpr size_t kWindowAnywhere = ByAddressWidth(64 * uint64_t{kGiB}, 0);

// Such a place for the unreserved mode, in which nothing so large can be asked for: so far from one
// that the kernel chose for a page, and 16 times as far. The program's next mappings come close to
// that, above or below it.
constexpr size_t kFarFromOthers = ByAddressWidth(128 * uint64_t{kGiB}, 0);

// With narrow addresses: kept free below the arrays when a program or its heap (brk) lies there.
constexpr size_t kRoomBelow = 32 * kMiB;

// Nobody maps lower than this (vm.mmap_min_addr).
constexpr uintptr_t kLowestAddress = 64 * kKiB;

size_t WantedWindow(const OsMemory& os) {
  size_t window = RoundUp(os.PhysicalMemory() * 4, kMinWindow);
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
  layout.index_chunks_distance = below(IndexBytes(window));
  layout.index_summaries_distance = below(window / kIndexChunkBytes + kMiB);
  layout.metadata_bytes = window >> kMetadataShift;
  layout.metadata_distance = below(layout.metadata_bytes);
  return layout;
}

bool Arena::MayTry(uintptr_t base, const ArenaLayout& layout) const {
  // The claims, none of which could grow past another's mapping, and the first page: what else is
  // in the arena's way becomes a hole.
  const size_t below = layout.metadata_distance;
  return base >= below && os_->MayUse(base - below, below + os_->PageSize());
}

void Arena::Settle(uintptr_t base, const ArenaLayout& layout) {
  base_ = base;
  layout_ = layout;
  reserved_ = false;
  reservation_ = layout.window;
}

bool Arena::TryReserve(uintptr_t base, size_t window) {
  const ArenaLayout layout = ArenaLayout::For(window);
  if (!MayTry(base, layout)) return false;
  const size_t size = window < kInitialReservation ? window : kInitialReservation;
  if (os_->ReserveAt(base, size) != MapResult::kOk) return false;
  Settle(base, layout);
  reserved_ = true;
  reservation_ = size;
  return true;
}

bool Arena::TryClaim(uintptr_t base, size_t window) {
  const ArenaLayout layout = ArenaLayout::For(window);
  if (!MayTry(base, layout)) return false;
  // One page shows whether the address exists and is free.
  const size_t page = os_->PageSize();
  if (os_->MapAt(base, page) != MapResult::kOk) return false;
  os_->Unmap(base, page);
  Settle(base, layout);
  return true;
}

bool Arena::ReserveAnywhere() {
  // One range for the arena, its arrays below it, and alignment.
  const ArenaLayout layout = ArenaLayout::For(kWindowAnywhere);
  const size_t size = layout.window + layout.metadata_distance + kArenaAlignment;
  const uintptr_t found = os_->ReserveAnywhere(size);
  if (found == 0) return false;
  const uintptr_t base = RoundUp(found + layout.metadata_distance, kArenaAlignment);
  Settle(base, layout);
  reserved_ = true;
  // The claims stay reserved: in the middle of everyone's mappings, one would soon fall there.
  claims_reserved_ = true;
  const auto give_back = [this](uintptr_t begin, uintptr_t end) {
    if (begin < end) os_->Unmap(begin, end - begin);  // If not, it stays reserved.
  };
  give_back(found, base - layout.metadata_distance);
  give_back(base - ArenaLayout::kClassMapDistance + (layout.window >> kPageShift), base);
  give_back(base + layout.window, found + size);
  return true;
}

bool Arena::ClaimAnywhere() {
  const size_t page = os_->PageSize();
  const uintptr_t others = os_->ReserveAnywhere(page);
  if (others == 0) return false;
  os_->Unmap(others, page);
  for (const size_t distance : {16 * kFarFromOthers, kFarFromOthers}) {
    const uintptr_t below = RoundDown(others - distance, kArenaAlignment);
    if (distance < others && TryClaim(below, kWindowAnywhere)) return true;
    const uintptr_t above = RoundDown(others + distance, kArenaAlignment);
    if (TryClaim(above, kWindowAnywhere)) return true;
  }
  return false;
}

// The lowest base such that the arrays and the start of the arena are free. From there to the end
// of the addresses all is window: programs, libraries and stacks in it are holes.
bool Arena::ClaimNarrow() {
  const uintptr_t end = RoundDown(os_->EndOfAddresses(), kArenaAlignment);
  const size_t below = ArenaLayout::For(kMaxWindow).metadata_distance;
  uintptr_t base = RoundUp(kLowestAddress + below, kArenaAlignment);
  for (; base < end && end - base >= kMinWindow; base += kArenaHintStep) {
    const size_t window = end - base;
    uintptr_t begin = base - ArenaLayout::For(window).metadata_distance;
    begin = begin > kLowestAddress + kRoomBelow ? begin - kRoomBelow : kLowestAddress;
    if (os_->MayUse(begin, base - begin) && TryClaim(base, window)) return true;
  }
  return false;
}

bool Arena::Init(OsMemory& os, bool force_unreserved) {
  os_ = &os;
  if (kNarrowAddresses) return ClaimNarrow();
  const size_t wanted = WantedWindow(os);
  if (!force_unreserved && os.AddressSpaceLimit() == SIZE_MAX) {
    for (const Candidate& candidate : kCandidates) {
      if (TryReserve(candidate.base, candidate.window == 0 ? wanted : candidate.window)) {
        return true;
      }
    }
    if (ReserveAnywhere()) return true;
  }
  for (const Candidate& candidate : kCandidates) {
    if (TryClaim(candidate.base, candidate.window == 0 ? wanted : candidate.window)) return true;
  }
  return ClaimAnywhere();
}

bool Arena::LeaveReservedMode(PageId frontier) {
  const uintptr_t begin = AddressOf(frontier);
  const uintptr_t end = base_ + reservation_;
  if (begin < end && !os_->Unmap(begin, end - begin)) return false;
  if (claims_reserved_) {
    // From the end of the page index to the allocated plane: the planes that no array has. If not,
    // they stay reserved.
    const size_t index_bytes = RoundUp(IndexBytes(layout_.window), os_->PageSize());
    const size_t distance = layout_.index_chunks_distance - index_bytes;
    os_->Unmap(base_ - distance, distance - layout_.bitmap_distance[0]);
    claims_reserved_ = false;
  }
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

void Arena::Retract(PageRun run, size_t before) {
  if (!reserved() || reservation_ == before) return;
  const size_t from = run.begin.offset() > before ? run.begin.offset() : before;
  if (os_->Unmap(base_ + from, reservation_ - from)) reservation_ = before;
}

MapResult Arena::Commit(PageRun run) {
  const uintptr_t address = AddressOf(run.begin);
  return reserved() ? os_->Commit(address, run.length.bytes())
                    : os_->MapAt(address, run.length.bytes());
}

bool Arena::Release(PageRun run) {
  const uintptr_t address = AddressOf(run.begin);
  return reserved() ? os_->Decommit(address, run.length.bytes())
                    : os_->Unmap(address, run.length.bytes());
}

}  // namespace prairie
