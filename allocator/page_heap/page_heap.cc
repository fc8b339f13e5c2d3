#include "allocator/page_heap/page_heap.h"

#include <algorithm>
#include <numeric>

namespace prairie {
namespace {

// A moved span has up to three mappings more than one that was never moved; the kernel's default
// for all mappings of a process is 65530.
constexpr uint32_t kMostMoved = 4096;

}  // namespace

void PageHeap::Init(Arena& arena, PageMap& page_map, BitmapPlane& allocated,
                    MetadataAllocator& metadata, HugePages huge_pages,
                    std::atomic<size_t>& extent) {
  arena_ = &arena;
  page_map_ = &page_map;
  allocated_ = &allocated;
  metadata_ = &metadata;
  extent_ = &extent;
  huge_pages_ = huge_pages;
  may_have_huge_pages_ =
      huge_pages != HugePages::kNever && arena.reserved() && arena.os().MayHaveHugePages();
  index_.Init(arena);
  spans_.Init(metadata);
  const size_t os_page = arena.os().PageSize();
  os_unit_ = PagesFor(os_page);
  ChooseSteps();
}

PageCount PageHeap::RoundToOsPages(PageCount pages) const {
  return {static_cast<uint32_t>(RoundUp(pages.value, os_unit_.value))};
}

PageHeap::Alignment PageHeap::AlignmentFor(PageCount alignment, SpanKind kind) const {
  // Every run begins at an OS page: that alignment costs nothing.
  const uint32_t unit =
      alignment <= os_unit_ ? 1 : static_cast<uint32_t>(std::lcm(alignment.value, os_unit_.value));
  // Powers of two are promised of addresses; other numbers mean the slot grid, which begins at the
  // base.
  const uint32_t base_page = static_cast<uint32_t>(arena_->base() >> kPageShift);
  return {{unit}, {IsPowerOfTwo(unit) ? base_page % unit : 0}, kind != SpanKind::kSmall};
}

PageHeap::Alignment PageHeap::AsInHugePages(PageRun run) const {
  // Where a limit is set, what is committed and free is worth more.
  if (run.length < kHugePages || !arena_->reserved() || is_scarce() ||
      huge_pages_ == HugePages::kNever) {
    return AlignmentFor({1}, SpanKind::kLarge);
  }
  const uint32_t over = run.begin.value % kHugePages.value;
  return {kHugePages, {over == 0 ? 0 : kHugePages.value - over}, false};
}

Span* PageHeap::Allocate(PageCount pages, PageCount alignment, SpanKind kind) {
  pages = RoundToOsPages(pages);
  const Alignment wanted = AlignmentFor(alignment, kind);
  SpinLockHolder holder(lock_);
  if (kind == SpanKind::kLarge && wanted.pages.value == 1) {
    if (const auto recent = recent_.Take(pages)) {
      recent.span->EndKeeping();  // Who freed it twice may think so.
      recent.span->zeroed = false;
      recent.span->kind = SpanKind::kLarge;
      return recent.span;
    }
  }
  return AllocateLocked(pages, wanted, kind);
}

Span* PageHeap::AllocateLocked(PageCount pages, const Alignment& alignment, SpanKind kind) {
  // So that the lowest run is found, as if nothing were kept.
  FlushRecent();
  Span* const span = spans_.Acquire();
  if (span == nullptr) return nullptr;
  span->kind = SpanKind::kUnused;
  PageRun run;
  MapResult usable;
  do {
    if (!FindOrExtend(pages, alignment, Use::kMemory, &run)) {
      spans_.Release(span);
      return nullptr;
    }
    usable = EnsureUsable(run);
  } while (usable == MapResult::kOccupied);  // A foreign page less: look again.
  if (usable != MapResult::kOk || (kind == SpanKind::kSmall && !EnsureBitmap(run.end()))) {
    spans_.Release(span);
    return nullptr;
  }
  *span = Span{};
  span->first_page = run.begin;
  span->pages = run.length;
  span->kind = kind;
  span->zeroed = Take(run);
  page_map_->SetSpan(run, span);
  if (kind == SpanKind::kSmall) {
    small_ = small_ + run.length;
  } else {
    large_ = large_ + run.length;
    ++large_count_;
  }
  return span;
}

bool PageHeap::FindOrExtend(PageCount pages, const Alignment& alignment, Use use, PageRun* run) {
  const PageCount unit = alignment.pages;
  const PageCount phase = alignment.phase;
  const PageCount window = PagesFor(arena_->window());
  if (pages > window || unit > window) return false;
  for (int attempt = 0; attempt < kMostHoles; ++attempt) {
    if (index_.FindFree(pages, unit, run, phase)) return true;
    // A preference is not worth new pages where address space is short.
    if (!arena_->reserved() && !alignment.must && index_.FindFree(pages, {1}, run)) return true;
    // What is missing behind the free run that ends at the frontier, if one does.
    PageRun tail = {frontier_, {0}};
    if (frontier_.value > 0 && index_.All(Bits::kFree, {{frontier_.value - 1}, {1}})) {
      index_.LastFreeWith(Bits::kFree, frontier_, pages + unit, &tail);
    }
    const uint32_t over = (tail.begin + phase).value % unit.value;
    const PageId begin = over == 0 ? tail.begin : tail.begin + (unit - PageCount{over});
    *run = {begin, pages};
    if (run->end() <= frontier_) return true;
    if (!ExtendFrontier(*run, use)) {
      return !alignment.must && index_.FindFree(pages, {1}, run);
    }
  }
  return false;
}

bool PageHeap::Take(PageRun run) {
  turnover_.store((turnover() + run.length).value, std::memory_order_relaxed);
  const PageCount dirty = index_.Count(Bits::kDirty, run);
  index_.MarkUsed(run);
  index_.Set(Bits::kDirty, run);
  free_ = free_ - run.length;
  free_dirty_ = free_dirty_ - dirty;
  least_free_dirty_ = std::min(least_free_dirty_, free_dirty_);
  return dirty.value == 0;
}

void PageHeap::GiveBack(PageRun run) {
  index_.MarkFree(run);
  free_ = free_ + run.length;
  free_dirty_ = free_dirty_ + index_.Count(Bits::kDirty, run);
  if (!arena_->reserved() && free_dirty_ > kUnreservedSlack) {
    ReleaseFreeLocked(free_dirty_ - kUnreservedSlack, Release::kMemory);
  }
}

void PageHeap::HealMapping(PageRun run) {
  if (arena_->reserved()) {
    if (!arena_->os().Renew(arena_->AddressOf(run.begin), run.length.bytes())) return;
    AdviseHugePagesAnew(run);
  } else {
    if (!MayOpenGap(run) || !arena_->Release(run)) return;
    ClearUsable(run);
  }
  index_.Clear(Bits::kDirty, run);
}

void PageHeap::Retire(Span* span) {
  if (span->kind == SpanKind::kSmall) {
    small_ = small_ - span->pages;
  } else {  // Large, or large until it became a recent one.
    large_ = large_ - span->pages;
    --large_count_;
    if (span->moved) --moved_count_;
  }
  // The other members stay: they let a second free of the same object be told from a stray one.
  span->kind = SpanKind::kUnused;
  spans_.Release(span);
}

void PageHeap::Free(Span* span) {
  SpinLockHolder holder(lock_);
  FreeLocked(span);
}

bool PageHeap::FreeLarge(Span* span, PageId first_page) {
  SpinLockHolder holder(lock_);
  if (!span->IsLargeAt(first_page)) return false;
  FreeLocked(span);
  return true;
}

bool PageHeap::FreeKept(Span* span, PageId first_page, const void* keeper) {
  SpinLockHolder holder(lock_);
  if (!span->IsKeptBy(keeper, first_page)) return false;
  span->kind = SpanKind::kUnused;
  span->EndKeeping();
  FreeLocked(span);
  return true;
}

void PageHeap::FreeLocked(Span* span) {
  if (span->kind != SpanKind::kSmall && recent_.Accepts(span->pages)) {
    while (recent_.IsFull(span->pages)) FreeForGood(recent_.Evict().span);
    span->kind = SpanKind::kUnused;
    recent_.Put(span);
    return;
  }
  FreeForGood(span);
}

void PageHeap::FreeForGood(Span* span) {
  const PageRun run = {span->first_page, span->pages};
  if (span->moved) HealMapping(run);
  Retire(span);
  GiveBack(run);
}

bool PageHeap::FlushRecent() {
  if (recent_.count() == 0) return false;
  while (const auto recent = recent_.Evict()) FreeForGood(recent.span);
  return true;
}

bool PageHeap::IsFree(PageRun run) {
  return index_.All(Bits::kFree, run) || (FlushRecent() && index_.All(Bits::kFree, run));
}

bool PageHeap::GrowInPlace(Span* span, PageCount pages) {
  pages = RoundToOsPages(pages);
  SpinLockHolder holder(lock_);
  const PageRun more = {span->first_page + span->pages, pages - span->pages};
  if (more.begin.value + uint64_t{more.length.value} > PagesFor(arena_->window()).value)
    return false;
  if (more.end() > frontier_) {
    // Only the last span of the arena can grow past the frontier.
    if (more.begin < frontier_ && !IsFree({more.begin, frontier_ - more.begin})) return false;
    if (!ExtendFrontier(more, Use::kMemory) || more.end() > frontier_) return false;
  }
  if (!IsFree(more) || EnsureUsable(more) != MapResult::kOk) return false;
  Take(more);
  span->pages = pages;
  span->zeroed = false;
  large_ = large_ + more.length;
  page_map_->SetSpan(more, span);
  return true;
}

void PageHeap::ShrinkInPlace(Span* span, PageCount pages) {
  pages = RoundToOsPages(pages);
  SpinLockHolder holder(lock_);
  if (pages >= span->pages) return;
  const PageRun rest = {span->first_page + pages, span->pages - pages};
  span->pages = pages;
  large_ = large_ - rest.length;
  if (span->moved) HealMapping(rest);
  GiveBack(rest);
}

void PageHeap::MarkMoved(Span* span) {
  if (!span->moved) ++moved_count_;
  span->moved = true;
}

Span* PageHeap::Move(Span* span, PageCount pages) {
  Span* target;
  {
    SpinLockHolder holder(lock_);
    if (moved_count_ >= kMostMoved) return nullptr;
    target = AllocateLocked(RoundToOsPages(pages), AsInHugePages({span->first_page, span->pages}),
                            SpanKind::kLarge);
  }
  if (target == nullptr) return nullptr;
  const PageRun from = {span->first_page, span->pages};
  const PageRun to = {target->first_page, span->pages};
  const uintptr_t to_address = arena_->AddressOf(to.begin);
  OsMemory& os = arena_->os();
  // Where nothing is mapped at all any more the target is ours again, if nobody else was faster.
  const MoveResult result =
      os.MovePages(arena_->AddressOf(from.begin), to_address, to.length.bytes());
  if (result == MoveResult::kTargetGone &&
      os.MapAt(to_address, to.length.bytes()) != MapResult::kOk) {
    LoseTarget(target, to);
    return nullptr;
  }
  if (result == MoveResult::kTargetGone) {
    SpinLockHolder holder(lock_);
    MarkMoved(target);  // Its mapping is a new one.
  }
  if (result != MoveResult::kOk) {
    Free(target);
    return nullptr;
  }
  SpinLockHolder holder(lock_);
  MarkMoved(target);
  target->zeroed = false;
  index_.Clear(Bits::kDirty, from);
  if (span->moved) HealMapping(from);
  Retire(span);
  GiveBack(from);
  return target;
}

void PageHeap::LoseTarget(Span* target, PageRun gone) {
  // No memory, or another thread's mapping has fallen there, perhaps beside some that are ours: a
  // hole, never to be touched again.
  SpinLockHolder holder(lock_);
  index_.Clear(Bits::kDirty, gone);
  ClearUsable(gone);
  foreign_ = foreign_ + gone.length;
  target->first_page = gone.end();
  target->pages = target->pages - gone.length;
  large_ = large_ - gone.length;
  page_map_->SetSpan(gone, nullptr);
  const PageRun rest = {target->first_page, target->pages};
  if (rest.length.value > 0) {
    if (target->moved) HealMapping(rest);
    GiveBack(rest);
  }
  Retire(target);
}

PageHeapStats PageHeap::stats() {
  SpinLockHolder holder(lock_);
  PageHeapStats stats;
  stats.small_bytes = small_.bytes();
  stats.large_bytes = (large_ - recent_.pages()).bytes();
  stats.large_count = large_count_ - recent_.count();
  stats.free_bytes = (free_ + recent_.pages()).bytes();
  stats.free_dirty_bytes = (free_dirty_ + recent_.pages()).bytes();
  stats.committed_bytes = committed_.bytes();
  stats.peak_committed_bytes = peak_committed_.bytes();
  stats.frontier_bytes = frontier_.offset();
  stats.foreign_bytes = foreign_.bytes();
  stats.index_bytes = index_.committed_bytes();
  stats.counted_bytes = CountedBytes();
  stats.limit = limit_.bounds();
  return stats;
}

}  // namespace prairie
