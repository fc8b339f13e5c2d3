// Size classes: the table, the waste of rounding, and the arithmetic of slots.
#include "allocator/arena/size_classes.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace prairie {
namespace {

constexpr uint64_t kSeed = 20111109;
constexpr uint64_t kEndOfOffsets = kMaxWindow;
static_assert(kEndOfOffsets <= uint64_t{1} << 44);

size_t SizeOf(int c) { return kSizeClasses[c].size; }

TEST(SizeClassesTest, TableRisesFrom16To32768) {
  EXPECT_EQ(SizeOf(0), 0U);
  EXPECT_EQ(SizeOf(1), kGranuleSize);
  EXPECT_EQ(SizeOf(kSizeClassCount - 1), kMaxSmallSize);
  for (int c = 2; c < kSizeClassCount; ++c) EXPECT_GT(SizeOf(c), SizeOf(c - 1));
}

TEST(SizeClassesTest, StepsAre16To128ThenEightForEachDoublingAndAFewBetween) {
  const std::set<size_t> extra = {1040, 1088, 2176, 4480, 8704, 17408};
  std::set<size_t> expected = extra;
  for (size_t size = 0; size < kMaxSmallSize;) {
    size_t step = 16;
    for (size_t power = 128; power <= size; power *= 2) step = power / 8;
    expected.insert(size += step);
  }
  std::set<size_t> sizes;
  for (int c = 1; c < kSizeClassCount; ++c) sizes.insert(SizeOf(c));
  EXPECT_EQ(sizes, expected);
}

TEST(SizeClassesTest, EverySizeGetsTheSmallestClassThatHoldsIt) {
  for (size_t size = 0; size <= kMaxSmallSize; ++size) {
    const SizeClass c = ClassOfSize(size);
    ASSERT_GE(c, 1) << size;
    ASSERT_LT(c, kSizeClassCount) << size;
    ASSERT_GE(SizeOf(c), size);
    if (c > 1) {
      ASSERT_LT(SizeOf(c - 1), size);
    }
  }
}

TEST(SizeClassesTest, RoundingWastesAtMostANinthAbove128) {
  for (size_t size = kLinearLimit + 1; size <= kMaxSmallSize; ++size) {
    const size_t rounded = SizeOf(ClassOfSize(size));
    ASSERT_LE((rounded - size) * 9, rounded) << size;
  }
  for (size_t size = 1; size <= kLinearLimit; ++size) {
    ASSERT_LT(SizeOf(ClassOfSize(size)) - size, kGranuleSize) << size;
  }
}

// What AllocateAligned relies on: slots lie at multiples of their size from an aligned base.
TEST(SizeClassesTest, EveryPowerOfTwoIsAClass) {
  for (size_t power = kGranuleSize; power <= kMaxSmallSize; power *= 2) {
    EXPECT_EQ(SizeOf(ClassOfSize(power)), power);
  }
}

TEST(SizeClassesTest, AlignedSpansOfLargerClassesHaveNoWaste) {
  for (int c = 1; c < kSizeClassCount; ++c) {
    const SizeClassInfo& info = kSizeClasses[c];
    if (info.size < 512 || info.size == 1040) {
      EXPECT_EQ(info.span_alignment.value, 1U);
      // At most a part of a slot is lost at either end, of at least 64.
      EXPECT_GE(info.span_pages.bytes(), info.size * 64U);
      continue;
    }
    EXPECT_EQ(info.span_alignment.bytes() * info.size % info.size, 0U) << info.size;
    EXPECT_EQ(info.span_pages.bytes() % info.size, 0U) << info.size;
    EXPECT_EQ(info.span_pages.value % info.span_alignment.value, 0U) << info.size;
    EXPECT_GE(info.span_pages.bytes(), info.size * 4U) << info.size;
  }
}

// The alignment is a preference: a span that begins elsewhere must still be of use.
TEST(SizeClassesTest, ASpanHoldsObjectsWhereverItBegins) {
  for (int c = 1; c < kSizeClassCount; ++c) {
    const SizeClassInfo& info = kSizeClasses[c];
    for (size_t page = 0; page < 64; ++page) {
      const size_t phase = page * kPageSize % info.size;
      const size_t first = phase == 0 ? 0 : info.size - phase;
      EXPECT_GE((info.span_pages.bytes() - first) / info.size, 3U) << info.size;
      EXPECT_GE((info.least_pages.bytes() - first) / info.size, 1U) << info.size;
    }
  }
}

TEST(SizeClassesTest, ListsOfAThreadCacheAreBounded) {
  for (int c = 1; c < kSizeClassCount; ++c) {
    EXPECT_GE(kSizeClasses[c].max_cached, 2U);
    EXPECT_LE(kSizeClasses[c].max_cached, 254U);
    EXPECT_LE(kSizeClasses[c].max_cached * SizeOf(c), 64 * kKiB);
  }
}

TEST(SizeClassesTest, SlotArithmeticIsExactForSmallOffsets) {
  for (int c = 1; c < kSizeClassCount; ++c) {
    const uint64_t size = SizeOf(c);
    for (uint64_t offset = 0; offset < 4 * kMaxSmallSize; ++offset) {
      ASSERT_EQ(IsSlotStart(offset, static_cast<SizeClass>(c)), offset % size == 0)
          << offset << " in class of " << size;
      ASSERT_EQ(SlotOf(offset, static_cast<SizeClass>(c)), offset / size)
          << offset << " in class of " << size;
    }
  }
}

TEST(SizeClassesTest, SlotArithmeticIsExactAroundMultiplesUpToTheLargestWindow) {
  std::mt19937_64 random(kSeed);
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    const uint64_t size = SizeOf(c);
    for (int round = 0; round < 5000; ++round) {
      // Multiples, near misses of either side, and anything; the last ones touch the end.
      uint64_t multiple = random() % (kEndOfOffsets / size) * size;
      if (round < 100) multiple = (kEndOfOffsets / size - static_cast<uint64_t>(round)) * size;
      for (const uint64_t offset : {multiple - 1, multiple, multiple + 1, multiple + size / 2,
                                    multiple ^ kGranuleSize, random() % kEndOfOffsets}) {
        if (offset >= kEndOfOffsets) continue;
        ASSERT_EQ(IsSlotStart(offset, c), offset % size == 0) << offset << " of " << size;
        ASSERT_EQ(SlotOf(offset, c), offset / size) << offset << " of " << size;
      }
    }
  }
}

TEST(SizeClassesTest, NothingStartsASlotOfClassZero) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{16}, kEndOfOffsets - 16}) {
    EXPECT_FALSE(IsSlotStart(offset, 0)) << offset;
  }
}

}  // namespace
}  // namespace prairie
