// Giving memory back: on demand, by the clock, and at once where address space is what is scarce.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;
using State = FakeMemory::State;

class ScavengerTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  Span* Large(size_t bytes) {
    Span* const span = pages().Allocate(PagesFor(bytes), {1}, SpanKind::kLarge);
    if (span != nullptr) memset(heap().Memory(span), 1, span->pages.bytes());
    return span;
  }
  // Allocates and frees, so that so many bytes are free and dirty.
  void MakeDirty(size_t bytes) {
    std::vector<Span*> spans;
    for (size_t made = 0; made < bytes; made += kMiB) spans.push_back(Large(kMiB));
    for (Span* span : spans) pages().Free(span);
  }
  size_t Dirty() { return pages().stats().free_dirty_bytes; }
  // All that one epoch has to give back, in as many steps as it takes.
  void ReleaseIdle(uint64_t now) {
    while (!pages().ReleaseIdle(now)) ++now;
  }
  // Dirty free runs of a page each, and live pages between them.
  void MakeShortRuns(int count) {
    std::vector<Span*> spans;
    for (int i = 0; i < 2 * count; ++i) spans.push_back(Large(kPageSize));
    for (int i = 0; i < 2 * count; i += 2) pages().Free(spans[static_cast<size_t>(i)]);
  }
};

// The unreserved mode gives back at once and keeps too little for the rest to show.
class ReservedScavengerTest : public ScavengerTest {};
class UnreservedScavengerTest : public ScavengerTest {};

constexpr PageCount kEverything = {UINT32_MAX};

TEST_P(ScavengerTest, ReleaseFreeReturnsEverything) {
  Span* const kept = Large(kMiB);
  MakeDirty(5 * kMiB);
  const PageHeapStats before = pages().stats();
  const int unmaps = heap().os().calls(Call::kUnmap);
  const PageCount released = pages().ReleaseFree(kEverything);
  heap().Check();
  const PageHeapStats after = pages().stats();
  EXPECT_EQ(after.free_dirty_bytes, 0U);
  EXPECT_EQ(after.free_bytes, before.free_bytes) << "free they are still";
  if (GetParam().unreserved) {
    EXPECT_EQ(released.bytes(), before.committed_bytes - kMiB);
    EXPECT_EQ(after.committed_bytes, kMiB) << "nothing but the object is mapped";
    EXPECT_EQ(heap().os().calls(Call::kDiscard), 0);
  } else {
    EXPECT_EQ(released.bytes(), before.free_dirty_bytes);
    EXPECT_EQ(heap().os().calls(Call::kUnmap), unmaps);
  }
  EXPECT_EQ(heap().Memory(kept)[0], 1);
  EXPECT_EQ(pages().ReleaseFree(kEverything).value, 0U) << "and no more";
}

TEST_P(ScavengerTest, ReleaseOfTheChargeTakesAccessToo) {
  Span* const kept = Large(kMiB);
  MakeDirty(5 * kMiB);
  pages().ReleaseFree(kEverything);  // Clean is not enough.
  pages().ReleaseFree(kEverything, Release::kCharge);
  heap().Check();
  EXPECT_EQ(pages().stats().committed_bytes, kept->pages.bytes());
  const uintptr_t behind = heap().arena().AddressOf(kept->first_page) + kept->pages.bytes();
  EXPECT_TRUE(
      heap().os().Is(behind, kMiB, GetParam().unreserved ? State::kNone : State::kReserved));
  EXPECT_NE(Large(5 * kMiB), nullptr) << "and it can be had again";
  heap().Check();
}

TEST_P(ScavengerTest, WhatWasReleasedReadsAsZero) {
  MakeDirty(2 * kMiB);
  pages().ReleaseFree(kEverything);
  Span* const span = pages().Allocate(PagesFor(2 * kMiB), {1}, SpanKind::kLarge);
  ASSERT_NE(span, nullptr);
  EXPECT_TRUE(span->zeroed);
  const unsigned char* const memory = heap().Memory(span);
  EXPECT_TRUE(std::all_of(memory, memory + 2 * kMiB, [](auto byte) { return byte == 0; }));
}

TEST_P(ReservedScavengerTest, ReleaseFreeTakesNoMoreThanAskedFromTheTop) {
  MakeDirty(4 * kMiB);
  const size_t before = Dirty();
  const PageCount most = PagesFor(kMiB);
  EXPECT_EQ(pages().ReleaseFree(most), most);
  EXPECT_EQ(Dirty(), before - kMiB);
  heap().Check();
  // The lowest pages are still dirty, since new spans go there.
  Span* const span = pages().Allocate({1}, {1}, SpanKind::kLarge);
  EXPECT_FALSE(span->zeroed);
}

TEST_P(ScavengerTest, AFailedReleaseIsNoLoss) {
  MakeDirty(4 * kMiB);
  const size_t before = Dirty();
  heap().os().FailFromNth(1);
  EXPECT_EQ(pages().ReleaseFree(kEverything).value, 0U);
  EXPECT_GT(heap().os().failures(), 0);
  heap().os().Heal();
  heap().Check();
  EXPECT_EQ(Dirty(), before);
  EXPECT_GT(pages().ReleaseFree(kEverything).value, 0U);
  EXPECT_EQ(Dirty(), 0U);
  heap().Check();
}

TEST_P(UnreservedScavengerTest, GivesAddressesBackAtOnce) {
  MakeDirty(16 * kMiB);
  heap().Check();
  // A little is kept, so that a program at the edge does not map and unmap for ever.
  EXPECT_LE(Dirty(), 512 * kKiB);
  EXPECT_LE(pages().stats().committed_bytes, 2 * kMiB);
  EXPECT_GT(heap().os().calls(Call::kUnmap), 0);
}

TEST_P(ReservedScavengerTest, AnIdleHeapDecays) {
  uint64_t now = 1'000'000;
  ReleaseIdle(now);
  MakeDirty(64 * kMiB);
  const size_t full = Dirty();
  ASSERT_GE(full, 64 * kMiB);
  ReleaseIdle(now += 100);
  EXPECT_EQ(Dirty(), full) << "not yet an epoch";
  ReleaseIdle(now += 200);
  EXPECT_EQ(Dirty(), full) << "an epoch, but not all of it idle";
  size_t last = full;
  for (int epoch = 0; epoch < 20; ++epoch) {
    ReleaseIdle(now += 250);
    EXPECT_LE(Dirty(), last);
    if (last > 4 * kMiB) {
      EXPECT_LT(Dirty(), last) << "epoch " << epoch;
      EXPECT_GE(Dirty(), last / 2 - kMiB) << "half at a time";
    }
    last = Dirty();
    heap().Check();
  }
  EXPECT_LE(last, 2 * kMiB + kMiB / 4);
  EXPECT_GE(last, 2 * kMiB - kMiB / 4) << "the last of it is kept";
}

TEST_P(ReservedScavengerTest, ABusyHeapKeepsItsWorkingSet) {
  uint64_t now = 1'000'000;
  ReleaseIdle(now);
  const int discards = heap().os().calls(Call::kDiscard);
  for (int epoch = 0; epoch < 20; ++epoch) {
    MakeDirty(32 * kMiB);  // All of it is used in every epoch.
    ReleaseIdle(now += 250);
  }
  EXPECT_EQ(heap().os().calls(Call::kDiscard), discards);
  EXPECT_GE(Dirty(), 32 * kMiB);
}

// The program waits meanwhile, and everybody who wants pages.
TEST_P(ReservedScavengerTest, ALookMakesFewCalls) {
  MakeShortRuns(1000);
  const size_t full = Dirty();
  uint64_t now = 1'000'000;
  for (int look = 0; look < 1000; ++look) {
    const int before = heap().os().calls(Call::kDiscard);
    pages().ReleaseIdle(++now);
    ASSERT_LE(heap().os().calls(Call::kDiscard) - before, 4);
    if (look % 100 == 0) heap().Check();
  }
  // What was dirty when the first epoch began was in use before.
  EXPECT_LE(Dirty(), 2 * kMiB + (full - 2 * kMiB) / 8 + 3 * 64 * kKiB) << "half in each epoch";
  EXPECT_GE(Dirty(), 2 * kMiB - 64 * kKiB);
}

TEST_P(ReservedScavengerTest, ASecondLookAtOnceDoesNothing) {
  MakeShortRuns(1000);
  uint64_t now = 1'000'000;
  for (int look = 0; look < 300; ++look) pages().ReleaseIdle(++now);
  const size_t before = Dirty();
  EXPECT_FALSE(pages().ReleaseIdle(now)) << "there is more to give back";
  EXPECT_FALSE(pages().ReleaseIdle(now - 1));
  EXPECT_EQ(Dirty(), before);
  pages().ReleaseIdle(now + 1);
  EXPECT_LT(Dirty(), before);
  while (!pages().ReleaseIdle(++now)) {
  }
  SpinLockHolder holder(pages().lock());
  EXPECT_TRUE(pages().ReleaseIdle(now)) << "and it needs no lock for that";
}

TEST_P(ReservedScavengerTest, WhoLooksSeldomDoesMore) {
  MakeDirty(16 * kMiB);
  Span* const low = Large(8 * kMiB);
  MakeShortRuns(500);
  pages().Free(low);
  ASSERT_GE(Dirty(), 10 * kMiB);
  uint64_t now = 1'000'000;
  for (int look = 0; look < 24; ++look) pages().ReleaseIdle(now += 300);
  EXPECT_LE(Dirty(), 2 * kMiB + 128 * kKiB);
  heap().Check();
}

// It is of use after all.
TEST_P(ReservedScavengerTest, WhatIsTakenMeanwhileIsNotOwed) {
  MakeDirty(64 * kMiB);
  uint64_t now = 1'000'000;
  for (int look = 0; look < 252; ++look) pages().ReleaseIdle(++now);
  ASSERT_FALSE(pages().ReleaseIdle(now)) << "there is more to give back";
  Span* const all = Large(Dirty());
  pages().Free(all);
  const size_t before = Dirty();
  for (int look = 0; look < 100; ++look) pages().ReleaseIdle(++now);
  EXPECT_EQ(Dirty(), before);
}

// Each costs a call, and breaks a huge page.
TEST_P(ReservedScavengerTest, ShortRunsComeLast) {
  MakeDirty(16 * kMiB);
  MakeShortRuns(50);
  Span* const low = pages().Allocate(PagesFor(8 * kMiB), {1}, SpanKind::kLarge);
  MakeShortRuns(50);  // Above the others: the highest come first.
  pages().Free(low);
  uint64_t now = 1'000'000;
  for (int i = 0; i < 2; ++i) ReleaseIdle(now += 250);
  const int before = heap().os().calls(Call::kDiscard);
  const size_t dirty = Dirty();
  ReleaseIdle(now += 250);
  EXPECT_LT(Dirty(), dirty - 2 * kMiB);
  EXPECT_LE(heap().os().calls(Call::kDiscard) - before, 8) << "a few of some MiB each";
}

TEST_P(ReservedScavengerTest, AStepThatFailsIsNotRepeatedForEver) {
  MakeShortRuns(1000);
  uint64_t now = 1'000'000;
  for (int i = 0; i < 2; ++i) ReleaseIdle(now += 250);
  heap().os().FailFromNth(1);
  const size_t before = Dirty();
  ReleaseIdle(now += 250);  // It ends.
  EXPECT_GT(heap().os().failures(), 0);
  EXPECT_EQ(Dirty(), before);
  heap().os().Heal();
  ReleaseIdle(now += 250);
  EXPECT_LT(Dirty(), before);
  heap().Check();
}

// Threads read the clock before they take the lock, so a reading may be older than the epoch.
TEST_P(ReservedScavengerTest, AClockThatGoesBackReleasesNothing) {
  MakeDirty(32 * kMiB);
  pages().ReleaseIdle(1'000'000);
  const size_t before = Dirty();
  pages().ReleaseIdle(999'990);
  EXPECT_EQ(Dirty(), before);
  pages().ReleaseIdle(1'000'100);
  EXPECT_EQ(Dirty(), before) << "and the epoch did not begin anew";
}

INSTANTIATE_HEAP_MODES(ScavengerTest);
INSTANTIATE_RESERVED_MODES(ReservedScavengerTest);
INSTANTIATE_UNRESERVED_MODES(UnreservedScavengerTest);

}  // namespace
}  // namespace prairie
