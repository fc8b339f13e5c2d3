// The arena where addresses have 32 bits: the whole address space is the window, nothing is
// reserved, and whatever is in it already is stepped over.
#include <gtest/gtest.h>

#include "allocator/arena/arena.h"
#include "tests/support/fake_memory.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;
using State = FakeMemory::State;

constexpr uintptr_t kLowest = 64 * kKiB;

PageRun Pages(size_t begin_byte, size_t bytes) {
  return {{static_cast<uint32_t>(begin_byte >> kPageShift)}, PagesFor(bytes)};
}

class NarrowArenaTest : public testing::Test {
 protected:
  static uintptr_t Bottom(const Arena& arena) {
    return arena.base() - arena.layout().metadata_distance;
  }

  FakeMemory os_{FakeMemory::Backing::kNone};
  Arena arena_;
};

TEST_F(NarrowArenaTest, BeginsAsLowAsItsArraysPermitAndEndsWithTheAddresses) {
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_FALSE(arena_.reserved());
  EXPECT_GE(Bottom(arena_), kLowest);
  EXPECT_LT(Bottom(arena_), kLowest + 16 * kMiB);
  EXPECT_EQ(arena_.base() % kArenaAlignment, 0U);
  EXPECT_EQ(arena_.base() + arena_.window(), RoundDown(os_.EndOfAddresses(), kArenaAlignment));
  EXPECT_EQ(os_.BytesIn(State::kReserved) + os_.BytesIn(State::kCommitted), 0U);
}

TEST_F(NarrowArenaTest, AnAddressSpaceOfThreeGiB) {
  os_.set_end_of_addresses(0xb8000000);
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_EQ(arena_.base() + arena_.window(), 0xb8000000U);
}

// A program that is linked to an address of its own lies where the arrays would be.
TEST_F(NarrowArenaTest, AProgramBelowIsLeftAloneWithRoomForItsBrk) {
  constexpr uintptr_t kProgram = 0x08048000, kSize = 128 * kKiB;
  os_.PutForeign(kProgram, kSize);
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_GE(Bottom(arena_), kProgram + kSize + 32 * kMiB);
  EXPECT_LE(Bottom(arena_), kProgram + kSize + 64 * kMiB);
}

TEST_F(NarrowArenaTest, AMappingInAnyArrayMovesTheArena) {
  Arena wanted;
  ASSERT_TRUE(wanted.Init(os_, false));
  const ArenaLayout& layout = wanted.layout();
  for (const size_t distance :
       {size_t{0}, ArenaLayout::kClassMapDistance, layout.span_map_distance,
        layout.bitmap_distance[0], layout.bitmap_distance[3], layout.index_chunks_distance,
        layout.index_summaries_distance, layout.metadata_distance}) {
    FakeMemory os(FakeMemory::Backing::kNone);
    os.PutForeign(wanted.base() - distance, 4 * kKiB);
    Arena arena;
    ASSERT_TRUE(arena.Init(os, false));
    EXPECT_GT(Bottom(arena), wanted.base() - distance) << distance;
  }
}

// The kernel says that a range is taken before it says that a limit forbids so much of it.
TEST_F(NarrowArenaTest, UnderALimitLessThanItsArraysItFindsThePlaceAllTheSame) {
  os_.set_address_space_limit(16 * kMiB);
  os_.PutForeign(0x08048000, 128 * kKiB);
  ASSERT_TRUE(arena_.Init(os_, false));
  EXPECT_GT(Bottom(arena_), uintptr_t{0x08048000});
  EXPECT_EQ(arena_.Extend(Pages(0, kMiB)), MapResult::kOk);
  EXPECT_EQ(arena_.Commit(Pages(0, kMiB)), MapResult::kOk);
}

TEST_F(NarrowArenaTest, WithoutTheFirstPageItFailsAndCanBeCalledAgain) {
  os_.FailFromNth(1);
  EXPECT_FALSE(arena_.Init(os_, false));
  os_.Heal();
  EXPECT_TRUE(arena_.Init(os_, false));
}

TEST_F(NarrowArenaTest, NoPlaceIsAFailureAndNoLoop) {
  os_.PutForeign(0, 0xf8000000);
  EXPECT_FALSE(arena_.Init(os_, false));
}

TEST_F(NarrowArenaTest, ArraysLieApartBelowTheBase) {
  for (const size_t window : {kMinWindow, size_t{kGiB}, size_t{3} * kGiB, kMaxWindow}) {
    const ArenaLayout layout = ArenaLayout::For(window);
    const size_t pages = window >> kPageShift;
    size_t top = 0;
    const auto claim = [&top](size_t distance, size_t bytes) {
      EXPECT_GE(distance, top + bytes);
      EXPECT_EQ(distance % kHugePageSize, 0U);
      top = distance;
    };
    claim(ArenaLayout::kClassMapDistance, pages);
    claim(layout.span_map_distance, pages * sizeof(void*));
    for (const size_t distance : layout.bitmap_distance) claim(distance, window / 128);
    // In whole groups of 16 chunks, which a window need not fill.
    claim(layout.index_chunks_distance, RoundUp(pages / 512, 16) * 208);
    claim(layout.index_summaries_distance, RoundUp(pages / 512, 256) / 16 * 12 + 3 * 16 * 12);
    claim(layout.metadata_distance, layout.metadata_bytes);
    EXPECT_LT(top, 256 * kMiB);
  }
}

TEST_F(NarrowArenaTest, EndsAtItsWindow) {
  ASSERT_TRUE(arena_.Init(os_, false));
  const size_t window = arena_.window();
  EXPECT_EQ(arena_.Extend(Pages(window - kMiB, kMiB)), MapResult::kOk);
  EXPECT_EQ(arena_.Extend(Pages(window - kMiB, 2 * kMiB)), MapResult::kNoMemory);
}

}  // namespace
}  // namespace prairie
