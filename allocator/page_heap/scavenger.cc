// Giving memory back: which free pages, and when.
//
// No thread of its own: whoever frees a span looks at the clock. What has lain free and dirty for
// a whole epoch, whatever the comings and goings in it, was of no use to anyone; half of that goes
// back, so that an idle heap decays and a busy one keeps its working set.
#include <algorithm>

#include "allocator/base/report.h"
#include "allocator/page_heap/page_heap.h"

namespace prairie {
namespace {

// Below this much, giving back saves less than the faults that follow cost.
constexpr PageCount kKeep = PagesFor(2 * kMiB);

}  // namespace

PageCount PageHeap::ReleaseFreeLocked(PageCount most, Release what) {
  PageCount released;
  PageId end = frontier_;
  PageRun run;
  // In the unreserved mode what is usable costs address space even when it is clean.
  const bool keep_access = arena_->reserved() && what == Release::kMemory;
  const Bits kind = keep_access ? Bits::kDirty : Bits::kUsable;
  while (released < most && index_.LastFreeWith(kind, end, most - released, &run)) {
    end = run.begin;
    if (os_unit_.value > 1) {
      // Whole OS pages within the run.
      const uint32_t first = static_cast<uint32_t>(RoundUp(run.begin.value, os_unit_.value));
      const uint32_t last = static_cast<uint32_t>(RoundDown(run.end().value, os_unit_.value));
      if (first >= last) continue;
      run = {{first}, {last - first}};
    }
    const PageCount dirty = index_.Count(Bits::kDirty, run);
    if (keep_access || !MayOpenGap(run)) {
      if (dirty.value == 0 || !arena_->Discard(run)) continue;
    } else {
      if (!arena_->Release(run)) continue;
      ClearUsable(run);
      advised_ = {};  // It may be forgotten with the access.
    }
    index_.Clear(Bits::kDirty, run);
    free_dirty_ = free_dirty_ - dirty;
    released = released + run.length;
  }
  least_free_dirty_ = std::min(least_free_dirty_, free_dirty_);
  return released;
}

bool PageHeap::Discard(PageRun run) {
  if (run.begin.value % os_unit_.value != 0 || run.length.value % os_unit_.value != 0) return false;
  return arena_->Discard(run);
}

PageCount PageHeap::ReleaseFree(PageCount most, Release what) {
  SpinLockHolder holder(lock_);
  ObserveLimitsLocked();
  FlushRecent();
  return ReleaseFreeLocked(most, what);
}

void PageHeap::ReleaseIdle(uint64_t now) {
  SpinLockHolder holder(lock_);
  if (now < epoch_start_ + kEpochMilliseconds) return;
  ObserveLimitsLocked();
  FlushRecent();
  if (least_free_dirty_ > kKeep) {
    ReleaseFreeLocked({(least_free_dirty_ - kKeep).value / 2 + 1}, Release::kMemory);
  }
  epoch_start_ = now;
  least_free_dirty_ = free_dirty_;
}

void PageHeap::CheckInvariants() {
  SpinLockHolder holder(lock_);
  FlushRecent();
  const PageRun all = {{0}, frontier_ - PageId{0}};
  const auto check = [](bool condition, const char* what) {
    if (!condition)
      Report().Text("prairie: page heap invariant broken: ").Text(what).EmitAndAbort();
  };
  check(free_ + small_ + large_ + foreign_ == all.length, "free+small+large+foreign==frontier");
  check(index_.Count(Bits::kFree, all) == free_, "free pages are the free bits");
  check(index_.Count(Bits::kUsable, all) == committed_, "committed pages are the usable bits");
  PageCount dirty;
  PageRun run;
  PageId from{0};
  while (index_.FirstWith(Bits::kDirty, true, {from, frontier_ - from}, &run)) {
    check(index_.All(Bits::kUsable, run), "dirty implies usable");
    for (PageId page = run.begin; page < run.end(); page = page + PageCount{1}) {
      if (index_.All(Bits::kFree, {page, {1}})) dirty = dirty + PageCount{1};
    }
    from = run.end();
  }
  check(dirty == free_dirty_, "free dirty pages are the free and dirty bits");
}

}  // namespace prairie
