// The spans that were freed last: handed out again whole, and in nobody's way otherwise.
#include "allocator/page_heap/recent_spans.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

TEST(RecentSpansTest, TheLastOfALengthComesFirstAndTheOldestIsEvicted) {
  RecentSpans recent;
  recent.Init({100});
  Span spans[6] = {};
  const uint32_t lengths[] = {5, 7, 5, 9, 5, 7};
  for (int i = 0; i < 6; ++i) {
    spans[i].pages = {lengths[i]};
    recent.Put(&spans[i]);
  }
  EXPECT_EQ(recent.count(), 6);
  EXPECT_EQ(recent.pages().value, 38U);
  EXPECT_EQ(recent.Take({6}).span, nullptr);
  EXPECT_EQ(recent.Take({5}).span, &spans[4]);
  EXPECT_EQ(recent.Take({5}).span, &spans[2]);
  EXPECT_EQ(recent.Evict().span, &spans[0]);
  EXPECT_EQ(recent.Take({5}).span, nullptr);
  EXPECT_EQ(recent.Evict().span, &spans[1]);
  EXPECT_EQ(recent.Evict().span, &spans[3]);
  EXPECT_EQ(recent.Evict().span, &spans[5]);
  EXPECT_EQ(recent.Evict().span, nullptr);
  EXPECT_EQ(recent.pages().value, 0U);
}

TEST(RecentSpansTest, BothNumberAndPagesAreBounded) {
  RecentSpans recent;
  recent.Init({100});
  EXPECT_TRUE(recent.Accepts({50}));
  EXPECT_FALSE(recent.Accepts({51}));
  std::vector<Span> spans(9);
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(recent.IsFull({1}));
    spans[i].pages = {1};
    recent.Put(&spans[i]);
  }
  EXPECT_TRUE(recent.IsFull({1}));
  while (recent.Evict()) continue;
  spans[0].pages = {50};
  recent.Put(&spans[0]);
  EXPECT_FALSE(recent.IsFull({50}));
  EXPECT_TRUE(recent.IsFull({51}));
}

TEST(SpanTest, OfTwoThatKeepItTheLastHasIt) {
  const int one = 0;
  const int other = 0;
  const PageId page = {7};
  Span span = {};
  span.first_page = page;
  span.kind = SpanKind::kLarge;
  EXPECT_TRUE(span.IsLargeAt(page));
  EXPECT_FALSE(span.Keep(&one, {8}));
  EXPECT_TRUE(span.Keep(&one, page));
  EXPECT_FALSE(span.IsLargeAt(page));
  EXPECT_FALSE(span.Keep(&other, page));
  EXPECT_TRUE(span.IsKeptBy(&one, page));
  EXPECT_FALSE(span.IsKeptBy(&one, {8}));
  span.kept_by = &other;  // It looked before, and wrote after.
  EXPECT_FALSE(span.IsKeptBy(&one, page));
  EXPECT_TRUE(span.IsKeptBy(&other, page));
  span.EndKeeping();
  EXPECT_TRUE(span.IsLargeAt(page));
  span.kind = SpanKind::kSmall;
  EXPECT_FALSE(span.Keep(&one, page));
  EXPECT_FALSE(span.IsKept());
}

class RecentSpansInHeapTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  Span* Large(size_t bytes, uint32_t alignment = 1) {
    return pages().Allocate(PagesFor(bytes), {alignment}, SpanKind::kLarge);
  }
};

constexpr size_t kLength = 64 * kKiB;  // A multiple of every OS page.

TEST_P(RecentSpansInHeapTest, TheSameSpanComesBackAndIsNotSaidToBeZero) {
  Span* const low = Large(kLength);
  Span* const span = Large(kLength);
  memset(heap().Memory(span), 7, kLength);
  pages().Free(low);
  pages().Free(span);
  EXPECT_EQ(pages().stats().large_count, 0U);
  EXPECT_EQ(pages().stats().large_bytes, 0U);
  EXPECT_GE(pages().stats().free_dirty_bytes, 2 * kLength);
  EXPECT_EQ(Large(kLength), span) << "the one that was used last, not the lowest";
  EXPECT_FALSE(span->zeroed);
  EXPECT_EQ(span->kind, SpanKind::kLarge);
  EXPECT_EQ(pages().stats().large_count, 1U);
  EXPECT_EQ(pages().stats().large_bytes, kLength);
  heap().Check();
}

TEST_P(RecentSpansInHeapTest, ASecondFreeIsNoticed) {
  Span* const span = Large(kLength);
  ASSERT_TRUE(pages().FreeLarge(span, span->first_page));
  EXPECT_FALSE(pages().FreeLarge(span, span->first_page));
  heap().Check();
}

TEST_P(RecentSpansInHeapTest, WhatIsKeptIsFreedByItsKeeperOnce) {
  Span* const span = Large(kLength);
  const PageId page = span->first_page;
  const int keeper = 0;
  const int other = 0;
  EXPECT_FALSE(pages().FreeKept(span, page, &keeper)) << "it is in use";
  ASSERT_TRUE(span->Keep(&keeper, page));
  EXPECT_FALSE(pages().FreeLarge(span, page));
  EXPECT_FALSE(pages().FreeKept(span, page, &other));
  EXPECT_TRUE(pages().FreeKept(span, page, &keeper));
  EXPECT_FALSE(pages().FreeKept(span, page, &keeper));
  EXPECT_FALSE(span->Keep(&keeper, page)) << "it is free";
  heap().Check();
  // A name that is written too late counts for nothing.
  span->kept_by = &keeper;
  EXPECT_FALSE(pages().FreeKept(span, page, &keeper));
  EXPECT_EQ(Large(kLength), span);
  EXPECT_TRUE(span->IsLargeAt(page));
  heap().Check();
}

TEST_P(RecentSpansInHeapTest, AnotherRequestFindsTheirPages) {
  Span* const first = Large(kLength);
  Span* const second = Large(kLength);
  const PageId lowest = first->first_page;
  pages().Free(first);
  pages().Free(second);
  Span* const both = Large(2 * kLength);
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->first_page, lowest);
  pages().Free(both);
  Span* const small = pages().Allocate(PagesFor(kLength), {1}, SpanKind::kSmall);
  ASSERT_NE(small, nullptr);
  EXPECT_EQ(small->first_page, lowest);
  heap().Check();
}

TEST_P(RecentSpansInHeapTest, ANeighbourGrowsIntoOne) {
  Span* const span = Large(kLength);
  Span* const behind = Large(kLength);
  Span* const wall = Large(kLength);
  ASSERT_NE(wall, nullptr);
  pages().Free(behind);
  ASSERT_TRUE(pages().GrowInPlace(span, PagesFor(2 * kLength)));
  EXPECT_FALSE(pages().GrowInPlace(span, PagesFor(3 * kLength))) << "the wall is in use";
  pages().Free(wall);
  EXPECT_TRUE(pages().GrowInPlace(span, PagesFor(3 * kLength)));
  heap().Check();
}

TEST_P(RecentSpansInHeapTest, TheyAreGivenBack) {
  Span* const span = Large(kLength);
  memset(heap().Memory(span), 7, kLength);
  pages().Free(span);
  EXPECT_GE(pages().ReleaseFree({UINT32_MAX}).bytes(), kLength);
  EXPECT_EQ(pages().stats().free_dirty_bytes, 0U);
  Span* const again = Large(kLength);
  ASSERT_NE(again, nullptr);
  EXPECT_TRUE(again->zeroed);
  heap().Check();
}

TEST_P(RecentSpansInHeapTest, AMovedOneStaysMoved) {
  Span* const span = Large(kLength);
  Span* const wall = Large(kLength);
  ASSERT_NE(wall, nullptr);
  Span* const moved = pages().Move(span, PagesFor(2 * kLength));
  ASSERT_NE(moved, nullptr);
  pages().Free(moved);
  Span* const again = Large(2 * kLength);
  if (GetParam().unreserved) {
    ASSERT_NE(again, nullptr);
  } else {
    ASSERT_EQ(again, moved);
    EXPECT_TRUE(again->moved);
  }
  Span* const twice = pages().Move(again, PagesFor(3 * kLength));
  ASSERT_NE(twice, nullptr);
  EXPECT_TRUE(twice->moved);
  pages().Free(twice);
  heap().Check();
}

INSTANTIATE_HEAP_MODES(RecentSpansInHeapTest);

}  // namespace
}  // namespace prairie
