// The page heap in both modes of the arena and with OS pages of 4, 16 and 64 KiB: spans, where they
// lie, growing, shrinking, moving, and giving memory back.
#include "allocator/page_heap/page_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/kept_spans.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;
using FailedMove = FakeMemory::FailedMove;
using State = FakeMemory::State;

class PageHeapTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  Span* Large(uint32_t count, uint32_t alignment = 1) {
    return pages().Allocate({count}, {alignment}, SpanKind::kLarge);
  }
  // `count` OS pages' worth: no rounding happens to it.
  Span* LargeUnits(uint32_t count, uint32_t alignment = 1) {
    return Large(count * unit(), alignment);
  }
  uint32_t unit() { return std::max<uint32_t>(1, heap().os().PageSize() / kPageSize); }
  void Fill(const Span* span, int byte) { memset(heap().Memory(span), byte, span->pages.bytes()); }
  bool IsFilled(const Span* span, PageCount pages, unsigned char byte) {
    const unsigned char* const memory = heap().Memory(span);
    return std::all_of(memory, memory + pages.bytes(), [&](auto b) { return b == byte; });
  }
  bool IsFilled(const Span* span, unsigned char byte) { return IsFilled(span, span->pages, byte); }
};

TEST_P(PageHeapTest, ANewSpanIsCommittedZeroedAndDescribed) {
  for (const SpanKind kind : {SpanKind::kSmall, SpanKind::kLarge}) {
    Span* const span = pages().Allocate({5}, {1}, kind);
    ASSERT_NE(span, nullptr);
    EXPECT_GE(span->pages.value, 5U);
    EXPECT_LT(span->pages.value, 5U + unit());
    EXPECT_EQ(span->kind, kind);
    EXPECT_TRUE(span->zeroed);
    EXPECT_TRUE(IsFilled(span, 0));
    Fill(span, 1);
    EXPECT_EQ(heap().SpanAt(span->first_page), span);
    heap().Check();
  }
  const PageHeapStats stats = pages().stats();
  EXPECT_EQ(stats.small_bytes, RoundUp(5 * kPageSize, heap().os().PageSize()));
  EXPECT_EQ(stats.large_bytes, stats.small_bytes);
  EXPECT_EQ(stats.large_count, 1U);
}

TEST_P(PageHeapTest, FreeMakesThePagesAvailableAndKeepsCount) {
  Span* const span = Large(10);
  ASSERT_NE(span, nullptr);
  const PageRun run = {span->first_page, span->pages};
  Fill(span, 7);
  pages().Free(span);
  heap().Check();
  EXPECT_EQ(heap().SpanAt(run.begin), nullptr);
  const PageHeapStats stats = pages().stats();
  EXPECT_EQ(stats.large_bytes, 0U);
  EXPECT_EQ(stats.large_count, 0U);
  EXPECT_EQ(stats.free_bytes, stats.frontier_bytes);
  Span* const again = Large(10);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->first_page, run.begin);
  EXPECT_FALSE(again->zeroed && !IsFilled(again, 0));
}

TEST_P(PageHeapTest, NeighboursMergeInAnyOrder) {
  std::vector<int> order = {0, 1, 2, 3};
  do {
    std::vector<Span*> spans;
    for (int i = 0; i < 4; ++i) spans.push_back(LargeUnits(3));
    const PageId first = spans[0]->first_page;
    for (const int i : order) pages().Free(spans[i]);
    Span* const all = LargeUnits(12);
    ASSERT_NE(all, nullptr);
    EXPECT_EQ(all->first_page, first);
    pages().Free(all);
    heap().Check();
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(PageHeapTest, TheLowestRunThatFitsIsTaken) {
  std::vector<Span*> spans;
  for (const uint32_t units : {2, 1, 9, 1, 30, 1, 9, 1}) spans.push_back(LargeUnits(units));
  const PageId hole2 = spans[0]->first_page, hole9 = spans[2]->first_page;
  const PageId hole30 = spans[4]->first_page;
  for (const int i : {6, 4, 2, 0}) pages().Free(spans[i]);
  heap().Check();
  EXPECT_EQ(LargeUnits(1)->first_page, hole2);
  EXPECT_EQ(LargeUnits(5)->first_page, hole9);
  EXPECT_EQ(LargeUnits(20)->first_page, hole30);
  heap().Check();
}

// With OS pages larger than the allocator's, spans begin at OS pages, and so do the holes that they
// leave: a hole must hold what was in it.
TEST_P(PageHeapTest, AHoleIsFilledByASpanOfItsSize) {
  std::vector<Span*> spans;
  for (int i = 0; i < 9; ++i) spans.push_back(LargeUnits(2));
  const PageId hole = spans[3]->first_page;
  pages().Free(spans[3]);
  Span* const again = LargeUnits(2);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->first_page, hole) << "left unused; took page " << again->first_page.value;
}

// Of two threads that free one large object at once, both find it live; only one may free it.
TEST_P(PageHeapTest, ALargeSpanIsFreedOnce) {
  Span* const span = LargeUnits(2);
  const PageId first = span->first_page;
  EXPECT_FALSE(pages().FreeLarge(span, first + PageCount{1})) << "it begins elsewhere";
  EXPECT_TRUE(pages().FreeLarge(span, first));
  EXPECT_FALSE(pages().FreeLarge(span, first)) << "freed twice";
  heap().Check();
}

TEST_P(PageHeapTest, AlignmentOfAnyNumberOfPages) {
  for (const uint32_t alignment : {1U, 2U, 4U, 8U, 64U, 256U, 512U, 3U, 5U, 7U, 9U, 15U}) {
    for (const uint32_t count : {1U, 3U, 17U, 300U}) {
      Span* const span = Large(count, alignment);
      ASSERT_NE(span, nullptr);
      // Odd alignments are a preference: with large OS pages or under a limit they may give way.
      if (IsPowerOfTwo(alignment) || (unit() == 1 && !GetParam().unreserved)) {
        EXPECT_EQ(span->first_page.value % alignment, 0U) << alignment;
      }
    }
  }
  heap().Check();
}

TEST_P(PageHeapTest, ImpossibleSizesGiveNull) {
  const uint32_t window = PagesFor(heap().arena().window()).value;
  EXPECT_EQ(Large(window + 1), nullptr);
  EXPECT_EQ(Large(UINT32_MAX - 100), nullptr);
  EXPECT_EQ(Large(1, 2 * window), nullptr);
  heap().Check();
  EXPECT_NE(Large(1), nullptr);
  EXPECT_EQ(Large(window), nullptr) << "one page is gone";
  EXPECT_EQ(Large(window, window), nullptr) << "one page is gone";
  heap().Check();
}

TEST_P(PageHeapTest, GrowInPlaceIntoFreePagesAndBeyondTheFrontier) {
  Span* const span = LargeUnits(2);
  Fill(span, 9);
  ASSERT_TRUE(pages().GrowInPlace(span, {5 * unit()}));
  EXPECT_EQ(span->pages.value, 5 * unit());
  EXPECT_TRUE(IsFilled(span, {2 * unit()}, 9));
  Fill(span, 8);
  heap().Check();
  // Far beyond what has ever been used.
  ASSERT_TRUE(pages().GrowInPlace(span, {3000}));
  EXPECT_GE(span->pages.value, 3000U);
  EXPECT_TRUE(IsFilled(span, {5 * unit()}, 8));
  Fill(span, 7);
  heap().Check();
  Span* const next = Large(1);
  EXPECT_FALSE(pages().GrowInPlace(span, {span->pages.value + 1}));
  heap().Check();
  pages().Free(next);
  EXPECT_TRUE(pages().GrowInPlace(span, {span->pages.value + 1}));
  heap().Check();
}

TEST_P(PageHeapTest, GrowInPlaceStopsAtANeighbour) {
  Span* const span = LargeUnits(2);
  Span* const gap = LargeUnits(3);
  Span* const wall = LargeUnits(1);
  pages().Free(gap);
  Fill(span, 1);
  Fill(wall, 2);
  EXPECT_FALSE(pages().GrowInPlace(span, {6 * unit()}));
  EXPECT_EQ(span->pages.value, 2 * unit()) << "nothing changed";
  heap().Check();
  EXPECT_TRUE(pages().GrowInPlace(span, {5 * unit()}));
  Fill(span, 3);
  EXPECT_TRUE(IsFilled(wall, 2));
  heap().Check();
}

TEST_P(PageHeapTest, GrowInPlaceBeyondTheWindowFails) {
  Span* const span = Large(1);
  const uint32_t window = PagesFor(heap().arena().window()).value;
  EXPECT_FALSE(pages().GrowInPlace(span, {window + 1}));
  EXPECT_FALSE(pages().GrowInPlace(span, {UINT32_MAX - 4096}));
  EXPECT_EQ(span->pages.value, unit());
  heap().Check();
}

TEST_P(PageHeapTest, ShrinkInPlaceGivesTheTailBack) {
  Span* const span = LargeUnits(10);
  Span* const wall = LargeUnits(1);
  Fill(span, 5);
  pages().ShrinkInPlace(span, {4 * unit()});
  EXPECT_EQ(span->pages.value, 4 * unit());
  EXPECT_TRUE(IsFilled(span, 5));
  heap().Check();
  // What only rounds to the same size changes nothing.
  pages().ShrinkInPlace(span, {4 * unit() - unit() + 1});
  EXPECT_EQ(span->pages.value, 4 * unit());
  ASSERT_TRUE(pages().GrowInPlace(span, {10 * unit()}));
  pages().ShrinkInPlace(span, {1});
  EXPECT_EQ(span->pages.value, unit());
  heap().Check();
  pages().Free(wall);
  pages().Free(span);
  EXPECT_EQ(pages().stats().free_bytes, pages().stats().frontier_bytes);
}

TEST_P(PageHeapTest, MoveTakesTheContentsAndFreesTheSource) {
  Span* const span = LargeUnits(8);
  Span* const wall = LargeUnits(1);
  Fill(span, 0x5a);
  const PageId old = span->first_page;
  Span* const moved = pages().Move(span, {20 * unit()});
  ASSERT_NE(moved, nullptr);
  EXPECT_NE(moved->first_page, old);
  EXPECT_EQ(moved->pages.value, 20 * unit());
  EXPECT_TRUE(IsFilled(moved, {8 * unit()}, 0x5a));
  EXPECT_EQ(heap().SpanAt(old), nullptr);
  EXPECT_EQ(pages().stats().large_count, 2U);
  heap().Check();
  // What was left behind may say that it is zero, and is.
  Span* const behind = LargeUnits(4);
  ASSERT_NE(behind, nullptr);
  if (behind->zeroed) {
    EXPECT_TRUE(IsFilled(behind, 0));
  }
  pages().Free(moved);
  heap().Check();
  Span* const big = LargeUnits(20);
  ASSERT_NE(big, nullptr);
  if (big->zeroed) {
    EXPECT_TRUE(IsFilled(big, 0));
  }
  pages().Free(wall);
}

TEST_P(PageHeapTest, MoveOfTheSameSize) {
  Span* const span = LargeUnits(8);
  Fill(span, 3);
  Span* const moved = pages().Move(span, span->pages);
  ASSERT_NE(moved, nullptr);
  EXPECT_TRUE(IsFilled(moved, 3));
  heap().Check();
}

TEST_P(PageHeapTest, AFailedMoveChangesNothing) {
  Span* const span = LargeUnits(8);
  Fill(span, 0x33);
  const PageHeapStats before = pages().stats();
  for (const auto outcome : {FailedMove::kStays, FailedMove::kGone}) {
    heap().os().set_failed_move(outcome);
    heap().os().FailNth(1, Call::kMovePages);
    EXPECT_EQ(pages().Move(span, {20 * unit()}), nullptr);
    EXPECT_EQ(heap().os().failures(), 1);
    EXPECT_TRUE(IsFilled(span, 0x33));
    EXPECT_EQ(heap().SpanAt(span->first_page), span);
    EXPECT_EQ(pages().stats().large_bytes, before.large_bytes);
    EXPECT_EQ(pages().stats().large_count, before.large_count);
    heap().Check();
    // And the target can be used again.
    Span* const other = LargeUnits(20);
    ASSERT_NE(other, nullptr);
    if (other->zeroed) {
      EXPECT_TRUE(IsFilled(other, 0));
    }
    Fill(other, 1);
    pages().Free(other);
  }
  EXPECT_EQ(pages().stats().foreign_bytes, 0U);
}

TEST_P(PageHeapTest, AFailedMoveWhoseTargetIsLostForEver) {
  Span* const span = LargeUnits(2);
  Fill(span, 0x44);
  pages().Free(LargeUnits(3));  // So that there is room without a call.
  heap().os().set_failed_move(FailedMove::kGone);
  const PageHeapStats before = pages().stats();
  heap().os().FailEverythingFromNth(1, Call::kMovePages);
  EXPECT_EQ(pages().Move(span, {3 * unit()}), nullptr);
  heap().os().Heal();
  EXPECT_EQ(heap().os().failures(), 2) << "the move, and the attempt to map something there again";
  EXPECT_TRUE(IsFilled(span, 0x44));
  const PageHeapStats after = pages().stats();
  EXPECT_EQ(after.foreign_bytes, span->pages.bytes()) << "only what was to be moved onto";
  EXPECT_EQ(after.committed_bytes, before.committed_bytes - span->pages.bytes());
  EXPECT_EQ(after.large_count, before.large_count);
  // No span may speak of memory that is not there.
  heap().Check();
  Span* const other = LargeUnits(3);
  ASSERT_NE(other, nullptr);
  Fill(other, 2);
  EXPECT_TRUE(IsFilled(span, 0x44));
}

TEST_P(PageHeapTest, AFailedMoveWhoseTargetAnotherThreadHasTaken) {
  Span* const span = LargeUnits(2);
  Fill(span, 0x44);
  pages().Free(LargeUnits(3));
  heap().os().set_failed_move(FailedMove::kTaken);
  heap().os().FailNth(1, Call::kMovePages);
  EXPECT_EQ(pages().Move(span, {3 * unit()}), nullptr);
  EXPECT_TRUE(IsFilled(span, 0x44));
  EXPECT_EQ(pages().stats().foreign_bytes, span->pages.bytes());
  heap().Check();
  const size_t taken = heap().os().BytesIn(FakeMemory::State::kForeign);
  KeptSpans kept(heap());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(kept.Keep(LargeUnits(3)));
  EXPECT_TRUE(kept.AreIntact());
  kept.FreeAll();
  pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
  EXPECT_EQ(heap().os().BytesIn(FakeMemory::State::kForeign), taken) << "nobody touched it";
  heap().Check();
}

TEST_P(PageHeapTest, ZeroedTellsTheTruth) {
  const uint64_t seed = 99;
  std::mt19937_64 random(seed);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::vector<Span*> spans;
  int zeroed = 0;
  for (int round = 0; round < 3000; ++round) {
    const uint64_t dice = random() % 100;
    if (dice < 50 && spans.size() < 60) {
      Span* const span = Large(1 + static_cast<uint32_t>(random() % 40));
      ASSERT_NE(span, nullptr);
      if (span->zeroed) {
        ++zeroed;
        ASSERT_TRUE(IsFilled(span, 0)) << "round " << round;
      }
      Fill(span, 0xee);
      spans.push_back(span);
    } else if (dice < 95 && !spans.empty()) {
      const size_t i = random() % spans.size();
      if (dice < 60) {
        if (Span* const moved = pages().Move(spans[i], spans[i]->pages)) spans[i] = moved;
      } else if (dice < 65 && spans[i]->pages.value > 1) {
        pages().ShrinkInPlace(spans[i], {1});
      } else if (dice < 70) {
        if (pages().GrowInPlace(spans[i], spans[i]->pages + PageCount{3})) Fill(spans[i], 0xee);
      } else {
        pages().Free(spans[i]);
        spans[i] = spans.back();
        spans.pop_back();
      }
    } else {
      pages().ReleaseFree({1 + static_cast<uint32_t>(random() % 100)});
    }
    if (round % 100 == 0) heap().Check();
  }
  EXPECT_GT(zeroed, 10);
  heap().Check();
}

TEST_P(PageHeapTest, ThreadsShareIt) {
  constexpr int kThreads = 4, kRounds = 1500;
  std::vector<std::thread> threads;
  std::atomic<int> spoiled{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &spoiled] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      std::vector<Span*> mine;
      for (int i = 0; i < kRounds; ++i) {
        if (random() % 2 == 0 || mine.empty()) {
          Span* const span = Large(1 + static_cast<uint32_t>(random() % 8));
          if (span == nullptr) continue;
          Fill(span, t + 1);
          mine.push_back(span);
        } else {
          const size_t k = random() % mine.size();
          if (!IsFilled(mine[k], static_cast<unsigned char>(t + 1))) ++spoiled;
          pages().Free(mine[k]);
          mine[k] = mine.back();
          mine.pop_back();
        }
        if (random() % 64 == 0) pages().ReleaseFree({20});
      }
      for (Span* span : mine) pages().Free(span);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(spoiled, 0);
  heap().Check();
  EXPECT_EQ(pages().stats().free_bytes, pages().stats().frontier_bytes);
}

INSTANTIATE_HEAP_MODES(PageHeapTest);

}  // namespace
}  // namespace prairie
