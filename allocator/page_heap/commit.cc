// Where usable pages come from: the frontier, commits, and foreign mappings in the way of both.
#include <algorithm>
#include <bit>

#include "allocator/page_heap/page_heap.h"

namespace prairie {
namespace {

// From this much committed heap on; below it the huge page at the end, of which half lies idle on
// average, would be too large a part of the heap. ADR 13.
constexpr PageCount kHugePagesFrom = PagesFor(4 * kMiB);

// Where address space is free a step is an eighth to a quarter of what is committed, if that is
// more: a call may have to wait for the faults of other threads. A power of two, for RoundUp.
constexpr uint32_t kStepPart = 4;

// So many commits wait for a region to have all its memory.
constexpr uint32_t kMostCollapseLooks = 8;

// Huge pages are asked for so far ahead of the frontier, or as far as the heap is large.
constexpr PageCount kLeastAhead = PagesFor(32 * kMiB);

// The steps over holes double so often.
constexpr int kMostDoublings = 16;

// Islands of committed pages: each is a mapping, and so is what lies between two of them. Beyond
// this number free runs between committed pages keep their access, and give back their contents
// only.
constexpr int kMostIslands = 8192;

// Enough to find a few foreign pages by halving, whatever the length of the run they are in.
constexpr int kMostProbes = 64;

}  // namespace

PageCount PageHeap::Step() const {
  if (!arena_->reserved()) return commit_step_;
  return {std::max(commit_step_.value, std::bit_floor(committed_.value / kStepPart))};
}

size_t PageHeap::ArraysAhead(PageId end) const {
  // So that they grow in few steps; less where address space is short.
  const size_t part = end.offset() / (arena_->reserved() ? 8 : 64);
  return std::max<size_t>(part, commit_step_.bytes());
}

// Rough shares of what each array needs for so much of the arena.
bool PageHeap::EnsureArrays(PageId end, bool exact) {
  const size_t ahead = exact ? 0 : ArraysAhead(end);
  if (page_map_->EnsurePages(end, ahead >> 10) && index_.EnsurePages(end, ahead >> 14)) return true;
  page_map_->Trim(frontier_, ArraysAhead(frontier_) >> 10);
  return false;
}

bool PageHeap::EnsureBitmap(PageId end) {
  return allocated_->EnsurePages(end, ArraysAhead(end) >> 7);
}

bool PageHeap::LimitAllows(PageRun wanted, PageId end, Use use) {
  if (!limit_.IsSet()) return true;
  const size_t arrays = page_map_->committed_bytes() + index_.committed_bytes();
  const size_t arrays_then = PageMap::BytesFor(end) + PageIndex::BytesFor(end);
  size_t more = arrays_then - std::min(arrays, arrays_then);
  if (use == Use::kMemory) {
    PageCount usable;
    if (wanted.begin < frontier_) {
      usable = index_.Count(Bits::kUsable, {wanted.begin, frontier_ - wanted.begin});
    }
    more += (wanted.length - usable).bytes();
  }
  return limit_.Allows(CountedBytes(), more);
}

bool PageHeap::SystemHas(PageCount pages) {
  OsMemory& os = arena_->os();
  const uintptr_t address = os.ReserveAnywhere(pages.bytes());
  if (address == 0) return false;
  const bool has = os.Commit(address, pages.bytes()) == MapResult::kOk;
  os.Unmap(address, pages.bytes());
  return has;
}

PageRun PageHeap::NotUsableOf(PageRun wanted, PageId end) const {
  PageId begin = wanted.begin;
  PageRun usable;
  while (begin < frontier_ &&
         index_.FirstWith(Bits::kUsable, true, {begin, frontier_ - begin}, &usable)) {
    begin = usable.end();
  }
  if (begin > frontier_ && arena_->reserved() && !limit_.IsSet()) {
    // As in WidenForCommit.
    begin = std::max(frontier_, {begin.value - begin.value % commit_step_.value});
  }
  return {begin, end - begin};
}

bool PageHeap::AppendFree(PageRun run, PageRun ahead, bool exact) {
  bool committed = false;
  if (ahead.length.value != 0) {
    const MapResult result = arena_->Commit(ahead);
    committed = result == MapResult::kOk;
    // What is foreign will be found by whoever commits it.
    if (!committed && (result != MapResult::kOccupied || !SystemHas(ahead.length))) return false;
  }
  if (!EnsureArrays(run.end(), exact)) {
    if (committed) arena_->Release(ahead);
    return false;
  }
  index_.MarkFree(run);
  free_ = free_ + run.length;
  frontier_ = run.end();
  extent_->store(frontier_.offset(), std::memory_order_release);
  if (committed) {
    conflicts_ = 0;
    SetUsable(ahead);
    AdviseHugePages(ahead);
  }
  return true;
}

bool PageHeap::ExtendFrontier(PageRun wanted, Use use) {
  ObserveLimitsLocked();
  const PageCount needed = RoundToOsPages(wanted.end() - frontier_);
  PageCount step = {static_cast<uint32_t>(RoundUp(needed.value, Step().value))};
  // For so much the arrays are not small. A program may ask for more than there is, and go on.
  const bool far = needed > Step();
  const bool commits = far && use == Use::kMemory;
  if (frontier_.value + uint64_t{needed.value} > PagesFor(arena_->window()).value) return false;
  if (far && !LimitAllows(wanted, frontier_ + needed, use)) return false;
  for (int attempt = 0; attempt < kMostHoles; ++attempt) {
    const PageRun run = {frontier_, step};
    if (run.begin.value + uint64_t{step.value} > PagesFor(arena_->window()).value) {
      if (step == needed) return false;
      step = needed;
      continue;
    }
    const size_t reservation = arena_->reservation();
    const MapResult result = arena_->Extend(run);
    if (result == MapResult::kOccupied) {
      // A hole: its pages exist for the page map, and are never free. Its end is unknown, so the
      // next step is longer.
      if (commits && !SystemHas(needed)) return false;
      if (!EnsureArrays(run.end(), false)) return false;
      foreign_ = foreign_ + run.length;
      frontier_ = run.end();
      extent_->store(frontier_.offset(), std::memory_order_release);
      if (attempt < kMostDoublings) step = step + step;
      wanted = {frontier_, needed};
      continue;
    }
    if (result == MapResult::kOk) {
      const PageId end = limit_.IsSet() ? wanted.end() : run.end();
      const PageRun ahead = commits ? NotUsableOf(wanted, end) : PageRun{};
      if (AppendFree(run, ahead, step == needed || (far && limit_.IsSet()))) return true;
      arena_->Retract(run, reservation);
    }
    if (step == needed) return false;
    step = needed;
  }
  return false;
}

PageRun PageHeap::WidenForCommit(PageRun run) const {
  PageId end = {static_cast<uint32_t>(RoundUp(run.end().value, Step().value))};
  end = std::min(end, frontier_);
  if (arena_->reserved() && !limit_.IsSet()) {
    // What alignment skipped, or its huge page would be none.
    const uint32_t begin = run.begin.value - run.begin.value % commit_step_.value;
    const PageRun before = {{begin}, {run.begin.value - begin}};
    if (index_.All(Bits::kFree, before) && !index_.Any(Bits::kUsable, before)) {
      run = {before.begin, before.length + run.length};
    }
  }
  const PageRun after = {run.end(), end - run.end()};
  PageRun obstacle;
  PageCount more = after.length;
  if (index_.FirstWith(Bits::kFree, false, after, &obstacle)) {
    more = std::min(more, obstacle.begin - after.begin);
  }
  if (index_.FirstWith(Bits::kUsable, true, after, &obstacle)) {
    more = std::min(more, obstacle.begin - after.begin);
  }
  if (limit_.IsSet()) {
    const size_t spare = limit_.Spare(CountedBytes() + run.length.bytes());
    const size_t os_page = os_unit_.bytes();
    if (spare < more.bytes()) more = PagesFor(RoundDown(spare, os_page));
  }
  return {run.begin, run.length + more};
}

MapResult PageHeap::CommitRun(PageRun run) {
  const PageRun wide = WidenForCommit(run);
  PageRun committed = wide;
  MapResult result = arena_->Commit(wide);
  if (result != MapResult::kOk && wide != run) {
    committed = run;
    result = arena_->Commit(run);
  }
  if (result != MapResult::kOk) return result;
  conflicts_ = 0;
  SetUsable(committed);
  AdviseHugePages(committed);
  return MapResult::kOk;
}

bool PageHeap::AsksForHugePages() const {
  return huge_pages_ != HugePages::kNever && arena_->reserved() &&
         (huge_pages_ == HugePages::kAlways || committed_ >= kHugePagesFrom);
}

void PageHeap::AdviseHugePagesAnew(PageRun run) {
  if (!AsksForHugePages()) return AdviseHugePages(run);
  arena_->os().AdviseHugePages(arena_->AddressOf(run.begin), run.length.bytes());
}

void PageHeap::AdviseHugePages(PageRun run) {
  if (huge_pages_ == HugePages::kNever) {
    // All of it, to the page: only mappings that agree in this can merge.
    arena_->os().AvoidHugePages(arena_->AddressOf(run.begin), run.length.bytes());
    return;
  }
  if (!AsksForHugePages()) return;
  if (run.begin < advised_.begin || run.end() > advised_.end()) {
    PageRun advised = {RoundUpToHugePage(run.begin), {0}};
    PageId end = run.end();
    // Behind the frontier the reservation is ours.
    if (end == frontier_) {
      const PageId reserved = PageId{0} + PagesFor(arena_->reservation());
      end = std::min(end + std::max(committed_, kLeastAhead), std::max(end, reserved));
    }
    end.value -= end.value % kHugePages.value;
    if (advised.begin >= end) return;
    advised.length = end - advised.begin;
    arena_->os().AdviseHugePages(arena_->AddressOf(advised.begin), advised.length.bytes());
    if (end > run.end()) advised_ = advised;
    if (collapse_end_.value == 0) collapse_end_ = advised.begin;
  }
  if (huge_pages_ == HugePages::kAuto && may_have_huge_pages_) NoteNextCollapse();
}

// One with every commit, since other threads' page faults wait meanwhile; with a later one if much
// of it lies idle yet.
void PageHeap::NoteNextCollapse() {
  const PageRun run = {next_collapse_, kHugePages};
  if (run.end() > collapse_end_ || collapse_due_.load(std::memory_order_relaxed) != 0) return;
  const bool has = HasItsMemory(run);
  if (!has && ++collapse_looks_ < kMostCollapseLooks) return;
  collapse_looks_ = 0;
  next_collapse_ = run.end();
  if (has) collapse_due_.store(run.end().value, std::memory_order_relaxed);
}

void PageHeap::CollapseNow() {
  PageRun run;
  {
    SpinLockHolder holder(lock_);
    const uint32_t end = collapse_due_.exchange(0, std::memory_order_relaxed);
    if (end == 0) return;  // Another thread does it.
    run = {{end - kHugePages.value}, kHugePages};
    if (!arena_->reserved() || !HasItsMemory(run)) return;
  }
  arena_->os().CollapseToHugePage(arena_->AddressOf(run.begin));
}

// Whether nearly all of `run` was touched, as far as can be told without a call: its pages were
// handed out and have not gone back, and few to large objects, of which a program may leave most
// alone.
bool PageHeap::HasItsMemory(PageRun run) const {
  if (!index_.All(Bits::kUsable, run) || !index_.All(Bits::kDirty, run)) return false;
  uint32_t large = 0;
  for (PageId page = run.begin; page < run.end(); page = page + PageCount{1}) {
    const Span* const span = page_map_->span_of(page);
    if (span != nullptr && span->Covers(page) && span->kind == SpanKind::kLarge) ++large;
  }
  return large <= run.length.value / 8;
}

MapResult PageHeap::EnsureUsable(PageRun run) {
  if (limit_.IsSet()) {
    const PageCount more = run.length - index_.Count(Bits::kUsable, run);
    if (!limit_.Allows(CountedBytes(), more.bytes())) return MapResult::kNoMemory;
  }
  PageRun rest = run;
  PageRun missing;
  while (index_.FirstWith(Bits::kUsable, false, rest, &missing)) {
    const MapResult result = CommitRun(missing);
    if (result == MapResult::kOccupied) StepOverForeign(WidenForCommit(missing));
    if (result != MapResult::kOk) return result;
    rest = {missing.end(), run.end() - missing.end()};
  }
  return MapResult::kOk;
}

void PageHeap::StepOverForeign(PageRun run) {
  int calls = kMostProbes;
  const PageCount foreign_before = foreign_;
  FindForeign(run, &calls);
  const bool all_foreign = foreign_ - foreign_before == run.length && run.length > os_unit_;
  if (calls > 0 && !all_foreign) {
    conflicts_ = 0;
    return;
  }
  // There is much of it, and how far it reaches nobody says. Addresses are plenty and calls are
  // not: what lies ahead is given up in steps that double from one such conflict to the next.
  const PageCount step = {commit_step_.value << std::min(conflicts_, kMostDoublings)};
  ++conflicts_;
  PageId end = run.end() + step;
  if (end > frontier_) ExtendFrontier({frontier_, end - frontier_}, Use::kAddresses);
  end = std::min(end, frontier_);
  PageRun rest = {run.end(), end - run.end()};
  PageRun part;
  while (index_.FirstWith(Bits::kUsable, false, rest, &part)) {
    GiveUp(part);
    rest = {part.end(), end - part.end()};
  }
}

void PageHeap::FindForeign(PageRun run, int* calls) {
  if (*calls == 0) return GiveUp(run);
  --*calls;
  const MapResult result = arena_->Commit(run);
  if (result == MapResult::kOk) {
    SetUsable(run);
    AdviseHugePages(run);
    // It may be that nobody wants so much of it, and others need the addresses.
    if (run.length > commit_step_ && arena_->Release(run)) ClearUsable(run);
  } else if (result == MapResult::kOccupied) {
    const PageCount half = RoundToOsPages({run.length.value / 2});
    if (run.length <= os_unit_ || half >= run.length) return GiveUp(run);
    FindForeign({run.begin, half}, calls);
    FindForeign({run.begin + half, run.length - half}, calls);
  }
}

void PageHeap::GiveUp(PageRun run) {
  PageRun gone;
  while (index_.FirstWith(Bits::kFree, true, run, &gone)) {
    index_.MarkUsed(gone);
    page_map_->SetSpan(gone, nullptr);
    free_ = free_ - gone.length;
    foreign_ = foreign_ + gone.length;
    run = {gone.end(), run.end() - gone.end()};
  }
}

int PageHeap::UsableNeighbours(PageRun run) const {
  const bool before =
      run.begin.value > 0 && index_.All(Bits::kUsable, {{run.begin.value - 1}, {1}});
  const bool after = run.end() < frontier_ && index_.All(Bits::kUsable, {run.end(), {1}});
  return static_cast<int>(before) + static_cast<int>(after);
}

void PageHeap::SetUsable(PageRun run) {
  islands_ += 1 - UsableNeighbours(run);
  index_.Set(Bits::kUsable, run);
  committed_ = committed_ + run.length;
  peak_committed_ = std::max(peak_committed_, committed_);
  if (limit_.IsSet()) limit_.Note(CountedBytes());
}

void PageHeap::ClearUsable(PageRun run) {
  islands_ -= 1 - UsableNeighbours(run);
  index_.Clear(Bits::kUsable, run);
  committed_ = committed_ - run.length;
  if (limit_.IsSet()) limit_.Note(CountedBytes());
}

size_t PageHeap::CountedBytes() const {
  return committed_.bytes() + page_map_->committed_bytes() + allocated_->committed_bytes() +
         index_.committed_bytes() + metadata_->committed_bytes();
}

void PageHeap::SetLimit(const CommitBounds& bounds) {
  SpinLockHolder holder(lock_);
  limit_.Set(bounds);
  limited_.store(limit_.IsSet(), std::memory_order_relaxed);
}

CommitBounds PageHeap::limit() {
  SpinLockHolder holder(lock_);
  return limit_.bounds();
}

bool PageHeap::IsRelieved() {
  SpinLockHolder holder(lock_);
  return limit_.RearmIfRelieved(CountedBytes());
}

bool PageHeap::MayOpenGap(PageRun run) const {
  return islands_ < kMostIslands || UsableNeighbours(run) < 2;
}

}  // namespace prairie
