// Pages as types: conversions to bytes in 64 bits, runs, rounding.
#include "allocator/base/pages.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace prairie {
namespace {

// 16 TiB; with narrow addresses 4 MiB less than 4 GiB.
constexpr uint32_t kMostPages = kNarrowAddresses ? 523776 : uint32_t{1} << 31;

TEST(PagesTest, BytesAndOffsetsDoNotOverflow32Bits) {
  EXPECT_EQ(PageCount{1}.bytes(), kPageSize);
  EXPECT_EQ(PageCount{kMostPages}.bytes(), kMaxWindow);
  EXPECT_EQ(PageId{kMostPages - 1}.offset(), kMaxWindow - kPageSize);
}

TEST(PagesTest, PagesForIsTheFewestThatHold) {
  EXPECT_EQ(PagesFor(0).value, 0U);
  EXPECT_EQ(PagesFor(1).value, 1U);
  EXPECT_EQ(PagesFor(kPageSize).value, 1U);
  EXPECT_EQ(PagesFor(kPageSize + 1).value, 2U);
  EXPECT_EQ(PagesFor(kMaxWindow).value, kMostPages);
  EXPECT_EQ(PagesFor(kMaxWindow - 1).value, kMostPages);
}

// A page number is not a count: what has no meaning does not compile.
template <typename A, typename B>
concept Addable = requires(A a, B b) {
  a + b;
};
template <typename A, typename B>
concept Comparable = requires(A a, B b) {
  a < b;
};

TEST(PagesTest, MixedUpKindsDoNotCompile) {
  static_assert(Addable<PageId, PageCount>);
  static_assert(Addable<PageCount, PageCount>);
  static_assert(!Addable<PageId, PageId>);
  static_assert(!Comparable<PageId, PageCount>);
  static_assert(std::is_same_v<decltype(PageId{} - PageId{}), PageCount>);
  EXPECT_EQ(PageId{7} - PageId{3}, PageCount{4});
  EXPECT_EQ(PageId{7} + PageCount{3}, PageId{10});
}

TEST(PagesTest, ARunContainsItsPagesAndNotItsEnd) {
  const PageRun run = {{10}, {3}};
  EXPECT_EQ(run.end(), PageId{13});
  EXPECT_FALSE(run.contains({9}));
  EXPECT_TRUE(run.contains({10}));
  EXPECT_TRUE(run.contains({12}));
  EXPECT_FALSE(run.contains({13}));
  EXPECT_FALSE(run.empty());
  EXPECT_TRUE((PageRun{{10}, {0}}.empty()));
  EXPECT_FALSE((PageRun{{10}, {0}}.contains({10})));
}

TEST(PagesTest, RoundingToPowersOfTwo) {
  for (size_t alignment = 1; alignment <= kGiB; alignment *= 2) {
    EXPECT_TRUE(IsPowerOfTwo(alignment));
    EXPECT_EQ(RoundUp(0, alignment), 0U);
    EXPECT_EQ(RoundUp(1, alignment), alignment);
    EXPECT_EQ(RoundUp(alignment, alignment), alignment);
    EXPECT_EQ(RoundUp(alignment * 5 + 1, alignment), alignment == 1 ? 6 : alignment * 6);
    EXPECT_EQ(RoundDown(alignment * 6 - 1, alignment), alignment * 5);
  }
  EXPECT_FALSE(IsPowerOfTwo(0));
  EXPECT_FALSE(IsPowerOfTwo(3));
  EXPECT_FALSE(IsPowerOfTwo(SIZE_MAX));
}

}  // namespace
}  // namespace prairie
