// The two modes of the arena as the page heap sees them: the steps in which each grows, and the way
// from one to the other when a limit is set while the program runs.
#include <algorithm>
#include <bit>

#include "allocator/page_heap/page_heap.h"

namespace prairie {
namespace {

// The frontier and commits move in such steps: whole huge pages where address space is free, and
// small steps under a limit, where others need what is left.
constexpr size_t kReservedStep = kHugePageSize;
constexpr size_t kLargestUnreservedStep = kMiB;
constexpr size_t kSmallestUnreservedStep = 64 * kKiB;

// Limits up to which caches are small: what they keep is missed by somebody then.
constexpr size_t kFrugalUpTo = kGiB;

// What is kept of the spans freed last, in the reserved mode; in the other one the slack.
constexpr PageCount kRecent = PagesFor(8 * kMiB);

}  // namespace

void PageHeap::ChooseSteps() {
  size_t step = kReservedStep;
  if (!arena_->reserved()) {
    limit_seen_ = arena_->os().AddressSpaceLimit();
    frugal_ = limit_seen_ <= kFrugalUpTo;
    step = std::clamp(std::bit_floor(limit_seen_ / 512), kSmallestUnreservedStep,
                      kLargestUnreservedStep);
  }
  commit_step_ = PagesFor(step);
  recent_.Init(arena_->reserved() ? kRecent : kUnreservedSlack);
}

void PageHeap::ObserveLimits() {
  if (!lock_.TryLock()) return;
  ObserveLimitsLocked();
  lock_.Unlock();
}

void PageHeap::ObserveLimitsLocked() {
  const size_t limit = arena_->os().AddressSpaceLimit();
  if (!arena_->reserved()) {
    if (limit != limit_seen_) ChooseSteps();
    return;
  }
  // The kernel charges the reservation in full. A limit of twice as much leaves room for the rest
  // of the program.
  if (limit / 2 < arena_->reservation()) LeaveReservedMode();
}

void PageHeap::LeaveReservedMode() {
  // While what is free stays mapped: what the unreserved mode unmaps another thread may have at
  // once.
  FlushRecent();
  // If one of them cannot the next look tries again.
  if (!metadata_->TryLeaveReserved() || !arena_->LeaveReservedMode(frontier_)) return;
  page_map_->LeaveReserved();
  index_.LeaveReserved();
  allocated_->LeaveReserved();
  owed_ = {};
  owes_.store(false, std::memory_order_relaxed);
  ChooseSteps();
  PageRun rest = {{0}, frontier_ - PageId{0}};
  PageRun free_run;
  while (index_.FirstWith(Bits::kFree, true, rest, &free_run)) {
    rest = {free_run.end(), frontier_ - free_run.end()};
    PageRun reserved;
    while (index_.FirstWith(Bits::kUsable, false, free_run, &reserved)) {
      // What the system does not take stays, and will be found occupied.
      arena_->Release(reserved);
      free_run = {reserved.end(), free_run.end() - reserved.end()};
    }
  }
  ReleaseFreeLocked({UINT32_MAX}, Release::kMemory);
}

}  // namespace prairie
