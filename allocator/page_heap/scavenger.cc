// Giving memory back: which free pages, and when.
//
// No thread of its own: whoever gives a span back looks at the clock. What has lain free and dirty
// for a whole epoch, whatever the comings and goings in it, was of no use to anyone; half of that
// goes back, so that an idle heap decays and a busy one keeps its working set. A little at a time:
// the program waits meanwhile, and so do all who want pages.
#include <algorithm>

#include "allocator/base/report.h"
#include "allocator/page_heap/page_heap.h"

namespace prairie {
namespace {

// Below this much, giving back saves less than the faults that follow cost.
constexpr PageCount kKeep = PagesFor(2 * kMiB);
// What is shorter comes last: it costs a call all the same, and breaks a huge page.
constexpr PageCount kLongRun = PagesFor(256 * kKiB);

// Bounds on what one look at the clock may cost: system calls, how much each gives back, unless so
// much is owed that it would take too long, and runs that are only looked at. Who has not looked
// for longer than kStepMilliseconds does as much more, up to kLargestStep times.
constexpr int kReleasesAtATime = 4;
constexpr uint32_t kMostReleases = 32;
constexpr int kLooksAtATime = 256;
constexpr uint64_t kStepMilliseconds = 8;
constexpr uint64_t kLargestStep = 16;

}  // namespace

// In the unreserved mode what is usable costs address space even when it is clean.
PageIndex::Bits PageHeap::ReleasableBits(Release what) const {
  return KeepsAccess(what) ? Bits::kDirty : Bits::kUsable;
}

PageCount PageHeap::ReleaseRun(PageRun run, Release what) {
  if (os_unit_.value > 1) {
    // Whole OS pages within the run.
    const uint32_t first = static_cast<uint32_t>(RoundUp(run.begin.value, os_unit_.value));
    const uint32_t last = static_cast<uint32_t>(RoundDown(run.end().value, os_unit_.value));
    if (first >= last) return {0};
    run = {{first}, {last - first}};
  }
  const PageCount dirty = index_.Count(Bits::kDirty, run);
  if (KeepsAccess(what) || !MayOpenGap(run)) {
    if (dirty.value == 0 || !arena_->Discard(run)) return {0};
  } else {
    if (!arena_->Release(run)) return {0};
    ClearUsable(run);
    advised_ = {};  // It may be forgotten with the access.
  }
  index_.Clear(Bits::kDirty, run);
  free_dirty_ = free_dirty_ - dirty;
  least_free_dirty_ = std::min(least_free_dirty_, free_dirty_);
  return run.length;
}

PageCount PageHeap::ReleaseFreeLocked(PageCount most, Release what) {
  PageCount released;
  PageId end = frontier_;
  PageRun run;
  const Bits kind = ReleasableBits(what);
  while (released < most && index_.LastFreeWith(kind, end, most - released, &run)) {
    end = run.begin;
    released = released + ReleaseRun(run, what);
  }
  return released;
}

PageCount PageHeap::ReleaseFree(PageCount most, Release what) {
  SpinLockHolder holder(lock_);
  ObserveLimitsLocked();
  FlushRecent();
  return ReleaseFreeLocked(most, what);
}

bool PageHeap::ReleaseIdle(uint64_t now) {
  // A program may come here with each of its frees.
  if (now <= last_look_.load(std::memory_order_acquire)) {
    return !owes_.load(std::memory_order_relaxed);
  }
  SpinLockHolder holder(lock_);
  const uint64_t last = last_look_.load(std::memory_order_relaxed);
  if (now <= last) return owed_.pages.value == 0;
  const uint64_t size = (now - last) / kStepMilliseconds;
  owes_.store(true, std::memory_order_relaxed);  // For all that others know meanwhile.
  last_look_.store(now, std::memory_order_release);
  if (now >= epoch_start_ + kEpochMilliseconds) BeginEpoch(now);
  const bool done = ReleaseOwed(static_cast<int>(std::clamp<uint64_t>(size, 1, kLargestStep)));
  owes_.store(!done, std::memory_order_relaxed);
  return done;
}

void PageHeap::BeginEpoch(uint64_t now) {
  ObserveLimitsLocked();
  FlushRecent();
  const bool finished = owed_.pages.value == 0;
  owed_.pages = {};
  if (least_free_dirty_ > kKeep) {
    owed_.pages = RoundToOsPages({(least_free_dirty_ - kKeep).value / 2 + 1});
    const PageCount part = {owed_.pages.value / kMostReleases};
    owed_.at_once = PageCount{static_cast<uint32_t>(RoundUp(part.value + 1, kHugePages.value))};
    if (finished) {
      owed_.least = kLongRun;
      owed_.end = frontier_;
    }
  }
  epoch_start_ = now;
  least_free_dirty_ = free_dirty_;
}

bool PageHeap::ReleaseOwed(int size) {
  // Not what the program has taken since, or what is kept.
  const PageCount idle = least_free_dirty_ > kKeep ? least_free_dirty_ - kKeep : PageCount{};
  owed_.pages = std::min(owed_.pages, RoundToOsPages(idle));
  const Bits kind = ReleasableBits(Release::kMemory);
  int releases = size * kReleasesAtATime;
  for (int looks = size * kLooksAtATime; owed_.pages.value != 0; --looks) {
    if (looks == 0 || releases == 0) return false;
    PageRun run;
    if (!index_.LastFreeWith(kind, owed_.end, std::min(owed_.pages, owed_.at_once), &run)) {
      if (owed_.least.value == 1) owed_.pages = {};
      owed_.least = {1};
      owed_.end = frontier_;
      continue;
    }
    if (run.length == owed_.at_once) {  // Cut off, perhaps within a huge page.
      const PageId begin = RoundUpToHugePage(run.begin);
      if (begin < run.end()) run = {begin, run.end() - begin};
    }
    owed_.end = run.begin;
    if (run.length < std::min(owed_.least, owed_.pages)) continue;
    owed_.pages = owed_.pages - std::min(ReleaseRun(run, Release::kMemory), owed_.pages);
    --releases;
  }
  return true;
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
