// The page heap under Prairie's own limit: what is committed never exceeds it, and what is refused
// can be had again when something was given back.
#include <gtest/gtest.h>

#include <cstring>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/kept_spans.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

constexpr size_t kLimit = 32 * kMiB;

class OwnLimitTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  size_t Counted() { return pages().stats().counted_bytes; }
  Span* Large(size_t bytes, size_t alignment = 1) {
    return pages().Allocate(PagesFor(bytes), PagesFor(alignment), SpanKind::kLarge);
  }
  void ReleaseAll() { pages().ReleaseFree({UINT32_MAX}, Release::kCharge); }
  // As the heap does when there is nothing: what is free goes back, and again.
  Span* LargeAfterAll(size_t bytes) {
    if (Span* const span = Large(bytes); span != nullptr) return span;
    ReleaseAll();
    return Large(bytes);
  }
};

TEST_P(OwnLimitTest, AllThatIsCommittedIsCounted) {
  for (const size_t bytes : {kPageSize, 3 * kMiB, 20 * kMiB}) {
    ASSERT_NE(Large(bytes), nullptr);
    EXPECT_EQ(Counted(), heap().CommittedBytes());
  }
}

TEST_P(OwnLimitTest, TheHardLimitIsUsedUpAndNotExceeded) {
  pages().SetLimit({0, kLimit});
  for (const size_t size : {64 * kKiB, 300 * kKiB, 5 * kMiB, 64 * kKiB}) {
    KeptSpans kept(heap());
    while (kept.Keep(LargeAfterAll(size))) {
      ASSERT_LE(heap().CommittedBytes(), kLimit) << "objects of " << size;
    }
    EXPECT_GE(pages().stats().large_bytes + size, kLimit / 100 * 95) << "objects of " << size;
    EXPECT_TRUE(kept.AreIntact());
    EXPECT_GT(pages().limit_refusals(), 0U);
    kept.FreeAll();
    heap().Check();
  }
}

TEST_P(OwnLimitTest, WhatIsFreeAndCommittedIsReusedAtTheLimit) {
  pages().SetLimit({0, kLimit});
  KeptSpans kept(heap());
  while (kept.Keep(LargeAfterAll(kMiB))) {
  }
  const size_t counted = Counted();
  kept.Free(kept.size() / 2);
  EXPECT_TRUE(kept.Keep(Large(kMiB))) << "without any commit";
  EXPECT_EQ(Counted(), counted);
  EXPECT_EQ(Large(2 * kMiB), nullptr);
}

TEST_P(OwnLimitTest, ARefusalCommitsNothing) {
  ASSERT_NE(Large(kMiB), nullptr);
  ReleaseAll();
  pages().SetLimit({0, kLimit});
  const size_t counted = Counted(), window = heap().arena().window();
  EXPECT_EQ(Large(kLimit), nullptr);
  EXPECT_EQ(pages().limit_refusals(), 1U);
  EXPECT_EQ(Counted(), counted);
  EXPECT_EQ(Large(window / 2), nullptr);
  EXPECT_EQ(Counted(), counted) << "nor the arrays for the pages";
  if (!kNarrowAddresses) {
    EXPECT_EQ(Large(kPageSize, window / 2), nullptr) << "with what an alignment skips";
    EXPECT_EQ(Counted(), counted);
  }
  EXPECT_NE(Large(kLimit / 2), nullptr);
  heap().Check();
}

TEST_P(OwnLimitTest, ALimitBelowWhatIsCommittedStopsGrowthOnly) {
  KeptSpans kept(heap());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(kept.Keep(Large(kMiB)));
  ReleaseAll();
  const size_t before = heap().CommittedBytes();
  pages().SetLimit({0, 5 * kMiB});
  EXPECT_EQ(LargeAfterAll(kMiB), nullptr);
  EXPECT_TRUE(kept.AreIntact());
  while (kept.size() > 2) kept.Free(0);
  EXPECT_TRUE(kept.Keep(LargeAfterAll(kMiB)));
  EXPECT_LE(heap().CommittedBytes(), before);
  ReleaseAll();
  EXPECT_LE(heap().CommittedBytes(), 5 * kMiB);
  pages().SetLimit({});
  EXPECT_TRUE(kept.Keep(Large(64 * kMiB))) << "no limit again";
  EXPECT_TRUE(kept.AreIntact());
  heap().Check();
}

TEST_P(OwnLimitTest, GrowingInPlaceAndMovingAreRefusedToo) {
  pages().SetLimit({0, kLimit});
  KeptSpans kept(heap());
  ASSERT_TRUE(kept.Keep(Large(20 * kMiB)));
  EXPECT_FALSE(pages().GrowInPlace(kept[0], PagesFor(kLimit)));
  EXPECT_EQ(kept[0]->pages, PagesFor(20 * kMiB)) << "nothing changed";
  EXPECT_EQ(pages().Move(kept[0], PagesFor(20 * kMiB)), nullptr);
  EXPECT_TRUE(pages().GrowInPlace(kept[0], PagesFor(28 * kMiB)));
  kept.Fill(0);
  EXPECT_LE(heap().CommittedBytes(), kLimit);
  EXPECT_TRUE(kept.AreIntact());
}

TEST_P(OwnLimitTest, ACommitIsNotWidenedAcrossTheSoftLimit) {
  pages().SetLimit({kLimit, 0});
  KeptSpans kept(heap());
  while (Counted() + 2 * kMiB <= kLimit) {
    ASSERT_TRUE(kept.Keep(Large(64 * kKiB)));
    ASSERT_FALSE(pages().pressure()) << Counted();
  }
  // What is left fits in small pieces, whatever the step of commits is.
  while (Counted() + 256 * kKiB <= kLimit) {
    ASSERT_TRUE(kept.Keep(Large(64 * kKiB)));
    ASSERT_FALSE(pages().pressure()) << Counted();
  }
  EXPECT_EQ(pages().limit_refusals(), 0U);
}

TEST_P(OwnLimitTest, TheSoftLimitIsToldOncePerCrossingAndRefusesNothing) {
  pages().SetLimit({kLimit, 0});
  for (int round = 0; round < 3; ++round) {
    KeptSpans kept(heap());
    ASSERT_TRUE(kept.Keep(Large(kLimit - 2 * kMiB)));
    EXPECT_FALSE(pages().pressure());
    ASSERT_TRUE(kept.Keep(Large(4 * kMiB)));
    EXPECT_TRUE(pages().TakePressure()) << "round " << round;
    EXPECT_FALSE(pages().IsRelieved());
    ASSERT_TRUE(kept.Keep(Large(8 * kMiB)));
    EXPECT_FALSE(pages().pressure()) << "only once";
    kept.FreeAll();
    ReleaseAll();
    EXPECT_FALSE(pages().pressure());
  }
}

TEST_P(OwnLimitTest, SmallSpansAreLimitedAsLargeOnesAre) {
  pages().SetLimit({0, 4 * kMiB});
  KeptSpans kept(heap());
  while (kept.Keep(pages().Allocate({1}, {1}, SpanKind::kSmall))) {
    ASSERT_LE(heap().CommittedBytes(), 4 * kMiB + 64 * kKiB) << "but for the span structs";
  }
  EXPECT_GE(pages().stats().small_bytes, 3 * kMiB);
}

INSTANTIATE_HEAP_MODES(OwnLimitTest);

class ReservedOwnLimitTest : public OwnLimitTest {};

TEST_P(ReservedOwnLimitTest, AddressesWhoseArraysExceedItAreRefused) {
  pages().SetLimit({0, kLimit});
  EXPECT_EQ(pages().AllocateMapped(PagesFor(heap().arena().window() / 2), {1}, "name"), nullptr);
  EXPECT_LE(Counted(), 64 * kKiB) << "the span struct";
  EXPECT_NE(pages().AllocateMapped(PagesFor(kGiB), {1}, "name"), nullptr);
  EXPECT_NE(Large(kLimit / 2), nullptr);
}

INSTANTIATE_RESERVED_MODES(ReservedOwnLimitTest);

class UnreservedOwnLimitTest : public OwnLimitTest {};

TEST_P(UnreservedOwnLimitTest, ForeignPagesInTheWayDoNotLetItBeExceeded) {
  const uintptr_t base = heap().arena().base();
  for (size_t at = 0; at < 64 * kMiB; at += 3 * kMiB) {
    heap().os().PutForeign(base + at, GetParam().os_page_size);
  }
  pages().SetLimit({0, kLimit});
  KeptSpans kept(heap());
  while (kept.Keep(LargeAfterAll(700 * kKiB))) ASSERT_LE(heap().CommittedBytes(), kLimit);
  EXPECT_GE(pages().stats().large_bytes, kLimit / 100 * 90);
  EXPECT_TRUE(kept.AreIntact());
  heap().Check();
}

INSTANTIATE_UNRESERVED_MODES(UnreservedOwnLimitTest);

}  // namespace
}  // namespace prairie
