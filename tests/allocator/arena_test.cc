// The arena: where it settles, in which mode, how it grows, and what it does about others.
#include "allocator/arena/arena.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/fake_memory.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;
using State = FakeMemory::State;

constexpr uintptr_t Hint(int i) { return kArenaHint + static_cast<uintptr_t>(i) * kArenaHintStep; }

// The places that it tries, in this order.
uintptr_t Place(int i) {
  switch (i) {
    case 5:
      return kArenaHint + 32 * kArenaHintStep;
    case 6:
      return uintptr_t{0x1c} << 32;
    case 7:
      return uintptr_t{0x0c} << 32;
    default:
      return Hint(i);
  }
}

PageRun Pages(uint64_t begin_byte, uint64_t bytes) {
  return {{static_cast<uint32_t>(begin_byte >> kPageShift)},
          {static_cast<uint32_t>(bytes >> kPageShift)}};
}

// Nothing is really mapped, so any size of window can be tried.
class ArenaTest : public testing::Test {
 protected:
  void TakeEveryPlace() {
    for (int i = 0; i < 8; ++i) os_.PutForeign(Place(i), 4 * kKiB);
  }

  FakeMemory os_{FakeMemory::Backing::kNone};
  Arena arena_;
};

TEST_F(ArenaTest, ReservesAtTheHint) {
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_TRUE(arena_.reserved());
  EXPECT_EQ(arena_.base(), kArenaHint);
  EXPECT_EQ(arena_.reservation(), kInitialReservation);
  EXPECT_EQ(arena_.window(), kMinWindow);
  EXPECT_TRUE(os_.Is(kArenaHint, kInitialReservation, State::kReserved));
  EXPECT_EQ(os_.BytesIn(State::kReserved), kInitialReservation);
  EXPECT_EQ(os_.BytesIn(State::kCommitted), 0U) << "nothing is used before it is needed";
}

TEST_F(ArenaTest, TheWindowFollowsPhysicalMemory) {
  const struct {
    size_t physical, window;
  } kCases[] = {
      {0, kTiB},        {kGiB, kTiB},          {256 * kGiB, kTiB},    {256 * kGiB + 1, 2 * kTiB},
      {kTiB, 4 * kTiB}, {4 * kTiB, 16 * kTiB}, {64 * kTiB, 16 * kTiB}};
  for (const auto& c : kCases) {
    FakeMemory os(FakeMemory::Backing::kNone);
    os.set_physical_memory(c.physical);
    Arena arena;
    ASSERT_TRUE(arena.Init(os, false));
    EXPECT_EQ(arena.window(), c.window) << c.physical;
  }
}

TEST_F(ArenaTest, AnOccupiedHintIsLeftForTheNextOne) {
  for (int occupied = 1; occupied <= 6; ++occupied) {
    FakeMemory os(FakeMemory::Backing::kNone);
    for (int i = 0; i < occupied; ++i) os.PutForeign(Place(i) + kMiB, 4 * kKiB);
    Arena arena;
    ASSERT_TRUE(arena.Init(os, false));
    EXPECT_TRUE(arena.reserved());
    EXPECT_EQ(arena.base(), Place(occupied));
  }
}

TEST_F(ArenaTest, APlaceWhereAnArrayCouldNotGrowIsNotTaken) {
  const ArenaLayout layout = ArenaLayout::For(kMinWindow);
  for (const bool unreserved : {false, true}) {
    for (const size_t distance :
         {layout.metadata_distance, layout.bitmap_distance[0] - kGiB, size_t{4 * kKiB}}) {
      FakeMemory os(FakeMemory::Backing::kNone);
      os.PutForeign(kArenaHint - distance, 4 * kKiB);
      Arena arena;
      ASSERT_TRUE(arena.Init(os, unreserved));
      EXPECT_EQ(arena.base(), Place(1)) << distance;
    }
  }
}

// Everything that a sanitizer keeps, between the ranges that it leaves.
TEST_F(ArenaTest, WhatASanitizerKeepsIsNotAskedFor) {
  const struct {
    uintptr_t low_end, high_begin, expected;
  } kCases[] = {{0x7fff8000, 0x10007fff8000, Place(5)}, {0x8000000000, 0x7e8000000000, Place(6)}};
  for (const auto& c : kCases) {
    for (const bool unreserved : {false, true}) {
      FakeMemory os(FakeMemory::Backing::kNone);
      os.Forbid(c.low_end, c.high_begin - c.low_end);
      Arena arena;
      ASSERT_TRUE(arena.Init(os, unreserved));
      EXPECT_EQ(arena.base(), c.expected);
      EXPECT_EQ(arena.reserved(), !unreserved);
    }
  }
}

TEST_F(ArenaTest, ItSettlesInFewCalls) {
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_EQ(os_.calls(), 2);
  FakeMemory os(FakeMemory::Backing::kNone);
  Arena unreserved;
  ASSERT_TRUE(unreserved.Init(os, true));
  EXPECT_EQ(os.calls(), 3);
}

TEST_F(ArenaTest, WithThirtyNineBitAddressesItTakesAPlaceBelow) {
  os_.set_end_of_addresses(uintptr_t{1} << 39);
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_TRUE(arena_.reserved());
  EXPECT_EQ(arena_.base(), uintptr_t{0x1c} << 32);
  EXPECT_EQ(arena_.window(), 64 * kGiB);
  EXPECT_LE(arena_.base() + arena_.window(), uintptr_t{1} << 39);
}

TEST_F(ArenaTest, WhenEveryPlaceIsTakenItGoesAnywhereAndReservesTheClaims) {
  TakeEveryPlace();
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_TRUE(arena_.reserved());
  EXPECT_TRUE(arena_.claims_reserved());
  EXPECT_EQ(arena_.base() % kArenaAlignment, 0U);
  EXPECT_EQ(arena_.window(), 64 * kGiB);
  EXPECT_TRUE(os_.Is(arena_.base(), arena_.window(), State::kReserved));
  const size_t below = arena_.layout().metadata_distance;
  const uintptr_t class_map = arena_.base() - ArenaLayout::kClassMapDistance;
  const size_t class_map_bytes = arena_.window() >> kPageShift;
  EXPECT_TRUE(os_.Is(arena_.base() - below,
                     below - ArenaLayout::kClassMapDistance + class_map_bytes, State::kReserved));
  EXPECT_EQ(os_.BytesIn(State::kReserved),
            arena_.window() + below - ArenaLayout::kClassMapDistance + class_map_bytes)
      << "and nothing else";
  EXPECT_TRUE(os_.Is(class_map + class_map_bytes, kGiB, State::kNone));
}

TEST_F(ArenaTest, LeavingTheReservedModeGivesUpThePlanesThatNobodyHas) {
  TakeEveryPlace();
  ASSERT_TRUE(arena_.Init(os_, false));
  ASSERT_TRUE(arena_.LeaveReservedMode({0}));
  EXPECT_FALSE(arena_.reserved());
  EXPECT_FALSE(arena_.claims_reserved());
  const ArenaLayout& layout = arena_.layout();
  EXPECT_TRUE(os_.Is(arena_.base(), arena_.window(), State::kNone));
  const size_t planes = layout.bitmap_distance[ArenaLayout::kBitmapPlanes - 1];
  EXPECT_TRUE(os_.Is(arena_.base() - planes, planes - layout.bitmap_distance[0], State::kNone));
  EXPECT_TRUE(os_.Is(arena_.base() - layout.bitmap_distance[0], (64 * kGiB) >> 7, State::kReserved))
      << "the arrays give up their own";
}

TEST_F(ArenaTest, WhenEveryPlaceIsTakenTheUnreservedModeGoesAnywhereToo) {
  TakeEveryPlace();
  ASSERT_TRUE(arena_.Init(os_, true));
  EXPECT_FALSE(arena_.reserved());
  EXPECT_EQ(arena_.base() % kArenaAlignment, 0U);
  EXPECT_EQ(arena_.window(), 64 * kGiB);
  EXPECT_EQ(os_.BytesIn(State::kReserved) + os_.BytesIn(State::kCommitted), 0U);
  EXPECT_LE(os_.calls(), 16);
  EXPECT_EQ(arena_.Commit(Pages(0, kMiB)), MapResult::kOk);
}

TEST_F(ArenaTest, AnywhereIsFarFromWhatTheKernelPlaces) {
  TakeEveryPlace();
  // Address space that is as narrow as can be, so the place is next to others'.
  os_.set_end_of_addresses(kTiB);
  ASSERT_TRUE(arena_.Init(os_, true));
  EXPECT_LE(arena_.base() + arena_.window() + 32 * kGiB, kTiB);
}

TEST_F(ArenaTest, UnderALimitItReservesNothing) {
  os_.set_address_space_limit(100 * kMiB);
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_FALSE(arena_.reserved());
  EXPECT_EQ(arena_.base(), kArenaHint);
  EXPECT_EQ(arena_.window(), kMinWindow);
  EXPECT_EQ(os_.calls(Call::kReserveAt) + os_.calls(Call::kReserveAnywhere), 0);
  EXPECT_EQ(os_.BytesIn(State::kCommitted), 0U);
}

TEST_F(ArenaTest, UnreservedOnDemand) {
  ASSERT_TRUE(arena_.Init(os_, true));
  EXPECT_FALSE(arena_.reserved());
  EXPECT_EQ(os_.BytesIn(State::kReserved), 0U);
}

TEST_F(ArenaTest, AKernelThatRefusesEveryHintMayStillGiveAPlace) {
  os_.FailFromNth(1, Call::kReserveAt);
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_TRUE(arena_.reserved());
  EXPECT_EQ(os_.calls(Call::kReserveAnywhere), 1);
}

TEST_F(ArenaTest, AKernelThatReservesNothingGetsTheUnreservedMode) {
  // Every hint and one attempt anywhere are refused, for want of memory; then it can map a page.
  os_.set_address_space_limit(SIZE_MAX - 1);      // As good as none...
  os_.set_address_space_in_use(SIZE_MAX - kGiB);  // ...but all in use.
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_FALSE(arena_.reserved());
  EXPECT_EQ(arena_.base(), kArenaHint);
}

TEST_F(ArenaTest, WithoutTheFirstPageItFailsAndCanBeCalledAgain) {
  os_.FailFromNth(1);
  EXPECT_FALSE(arena_.Init(os_, false));
  EXPECT_FALSE(arena_.Init(os_, true));
  os_.Heal();
  EXPECT_TRUE(arena_.Init(os_, false));
  EXPECT_EQ(arena_.base(), kArenaHint);
}

TEST_F(ArenaTest, AnUnreservedArenaStepsOverAnOccupiedHint) {
  os_.PutForeign(Hint(0), 4 * kKiB);
  os_.PutForeign(Hint(1), 4 * kKiB);
  ASSERT_TRUE(arena_.Init(os_, true));
  EXPECT_EQ(arena_.base(), Hint(2));
}

TEST_F(ArenaTest, AddressesAndPagesAreInverse) {
  ASSERT_TRUE(arena_.Init(os_, false));
  for (const uint32_t page : {0U, 1U, 1000U, (1U << 27) - 1}) {
    const uintptr_t address = arena_.AddressOf({page});
    EXPECT_EQ(address, kArenaHint + size_t{page} * kPageSize);
    EXPECT_EQ(arena_.PageOf(address), PageId{page});
    EXPECT_EQ(arena_.PageOf(address + kPageSize - 1), PageId{page});
  }
}

TEST_F(ArenaTest, ArraysOfEveryWindowLieApartBelowTheBase) {
  for (size_t window = 32 * kGiB; window <= kMaxWindow; window *= 2) {
    const ArenaLayout layout = ArenaLayout::For(window);
    const size_t pages = window >> kPageShift;
    std::vector<std::pair<size_t, size_t>> claims = {
        {ArenaLayout::kClassMapDistance, pages}, {layout.span_map_distance, pages * sizeof(void*)}};
    for (const size_t distance : layout.bitmap_distance) {
      claims.emplace_back(distance, (window >> kGranuleShift) / 8);
    }
    claims.emplace_back(layout.index_chunks_distance, pages / 512 * 208);
    claims.emplace_back(layout.index_summaries_distance,
                        layout.index_summaries_distance - layout.index_chunks_distance);
    claims.emplace_back(layout.metadata_distance, layout.metadata_bytes);
    size_t top = 0;
    for (const auto& [distance, bytes] : claims) {
      EXPECT_GE(distance, top + bytes) << "window " << window;
      EXPECT_EQ(distance % kHugePageSize, 0U);
      top = distance;
    }
    EXPECT_LT(top, kArenaHint) << "and above address 0";
  }
  EXPECT_LT(ArenaLayout::For(64 * kGiB).metadata_distance, uintptr_t{0x1c} << 32);
  EXPECT_LT(ArenaLayout::For(32 * kGiB).metadata_distance, uintptr_t{0x0c} << 32);
}

TEST_F(ArenaTest, TheReservationDoublesInPlace) {
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_EQ(arena_.Extend(Pages(0, kInitialReservation)), MapResult::kOk);
  EXPECT_EQ(arena_.reservation(), kInitialReservation);
  EXPECT_EQ(arena_.Extend(Pages(kInitialReservation - kMiB, 2 * kMiB)), MapResult::kOk);
  EXPECT_EQ(arena_.reservation(), 2 * kInitialReservation);
  EXPECT_TRUE(os_.Is(kArenaHint, 2 * kInitialReservation, State::kReserved));
  // More than double in one go.
  EXPECT_EQ(arena_.Extend(Pages(2 * kInitialReservation, 300 * kGiB)), MapResult::kOk);
  EXPECT_GE(arena_.reservation(), 2 * kInitialReservation + 300 * kGiB);
  EXPECT_TRUE(os_.Is(kArenaHint, arena_.reservation(), State::kReserved));
}

TEST_F(ArenaTest, TheReservationStopsAtTheEndOfTheWindow) {
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_EQ(arena_.Extend(Pages(0, kTiB)), MapResult::kOk);
  EXPECT_EQ(arena_.reservation(), kTiB);
  EXPECT_EQ(arena_.Extend(Pages(kTiB, kPageSize)), MapResult::kNoMemory);
  EXPECT_EQ(arena_.Extend(Pages(kTiB - kPageSize, 2 * kPageSize)), MapResult::kNoMemory);
  EXPECT_EQ(arena_.reservation(), kTiB);
}

TEST_F(ArenaTest, ANeighbourFurtherOnMakesItTakeOnlyWhatIsNeeded) {
  ASSERT_TRUE(arena_.Init(os_, false));
  os_.PutForeign(kArenaHint + kInitialReservation + kGiB, 4 * kKiB);
  EXPECT_EQ(arena_.Extend(Pages(kInitialReservation, kMiB)), MapResult::kOk);
  EXPECT_EQ(arena_.reservation(), kInitialReservation + kHugePageSize);
  EXPECT_TRUE(os_.Is(kArenaHint, arena_.reservation(), State::kReserved));
}

TEST_F(ArenaTest, ANeighbourRightBehindIsReportedAndCanBeSteppedOver) {
  ASSERT_TRUE(arena_.Init(os_, false));
  os_.PutForeign(kArenaHint + kInitialReservation, kHugePageSize);
  EXPECT_EQ(arena_.Extend(Pages(kInitialReservation, kHugePageSize)), MapResult::kOccupied);
  EXPECT_EQ(arena_.reservation(), kInitialReservation);
  // The run behind the hole.
  const size_t behind = kInitialReservation + kHugePageSize;
  EXPECT_EQ(arena_.Extend(Pages(behind, kHugePageSize)), MapResult::kOk);
  EXPECT_TRUE(os_.Is(kArenaHint + behind, kHugePageSize, State::kReserved));
  EXPECT_TRUE(os_.Is(kArenaHint + kInitialReservation, kHugePageSize, State::kForeign));
}

TEST_F(ArenaTest, AFailedExtensionChangesNothing) {
  ASSERT_TRUE(arena_.Init(os_, false));
  os_.FailFromNth(1, Call::kReserveAt);
  EXPECT_EQ(arena_.Extend(Pages(kInitialReservation, kMiB)), MapResult::kNoMemory);
  EXPECT_EQ(arena_.reservation(), kInitialReservation);
  os_.Heal();
  EXPECT_EQ(arena_.Extend(Pages(kInitialReservation, kMiB)), MapResult::kOk);
}

TEST_F(ArenaTest, CommitDiscardReleaseInReservedMode) {
  ASSERT_TRUE(arena_.Init(os_, false));
  const PageRun run = Pages(kMiB, kMiB);
  ASSERT_EQ(arena_.Commit(run), MapResult::kOk);
  EXPECT_TRUE(os_.Is(kArenaHint + kMiB, kMiB, State::kCommitted));
  EXPECT_TRUE(arena_.Discard(run));
  EXPECT_TRUE(os_.Is(kArenaHint + kMiB, kMiB, State::kCommitted));
  EXPECT_TRUE(arena_.Release(run));
  EXPECT_TRUE(os_.Is(kArenaHint + kMiB, kMiB, State::kReserved)) << "still ours";
  os_.FailNth(1);
  EXPECT_EQ(arena_.Commit(run), MapResult::kNoMemory);
  EXPECT_EQ(arena_.Commit(run), MapResult::kOk);
}

TEST_F(ArenaTest, CommitDiscardReleaseInUnreservedMode) {
  ASSERT_TRUE(arena_.Init(os_, true));
  const PageRun run = Pages(kMiB, kMiB);
  EXPECT_EQ(arena_.Extend(run), MapResult::kOk);
  EXPECT_EQ(os_.BytesIn(State::kReserved), 0U);
  ASSERT_EQ(arena_.Commit(run), MapResult::kOk);
  EXPECT_TRUE(arena_.Discard(run));
  EXPECT_TRUE(arena_.Release(run));
  EXPECT_TRUE(os_.Is(kArenaHint + kMiB, kMiB, State::kNone)) << "anyone may have it";
  os_.PutForeign(kArenaHint + kMiB, 4 * kKiB);
  EXPECT_EQ(arena_.Commit(run), MapResult::kOccupied);
  EXPECT_TRUE(os_.Is(kArenaHint + kMiB, 4 * kKiB, State::kForeign));
}

TEST_F(ArenaTest, AnUnreservedArenaEndsAtItsWindowToo) {
  ASSERT_TRUE(arena_.Init(os_, true));
  EXPECT_EQ(arena_.Extend(Pages(kTiB - kMiB, kMiB)), MapResult::kOk);
  EXPECT_EQ(arena_.Extend(Pages(kTiB - kMiB, 2 * kMiB)), MapResult::kNoMemory);
}

}  // namespace
}  // namespace prairie
