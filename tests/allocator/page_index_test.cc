// The free-page index against pictures of small bitmaps, and against a naive model of large ones.
#include "allocator/page_heap/page_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/support/fake_memory.h"

namespace prairie {
namespace {

using Bits = PageIndex::Bits;

constexpr uint32_t kWord = 64, kChunk = 512, kGroup = 16 * kChunk, kGroup2 = 16 * kGroup;

PageRun Pages(uint32_t begin, uint32_t end) { return {{begin}, {end - begin}}; }

// An index over an arena of its own.
class PageIndexTest : public testing::Test {
 protected:
  void SetUp() override {
    os_.PutForeign(kArenaHint, 64 * kKiB);  // Where the process's own heap would be.
    ASSERT_TRUE(arena_.Init(os_, false));
    index_.Init(arena_);
  }

  // The start of what FindFree finds, or -1.
  int64_t Find(uint32_t length, uint32_t alignment = 1) {
    PageRun found = {{12345}, {54321}};
    if (!index_.FindFree({length}, {alignment}, &found)) return -1;
    EXPECT_EQ(found.length.value, length);
    return found.begin.value;
  }

  FakeMemory os_;
  Arena arena_;
  PageIndex index_;
};

TEST_F(PageIndexTest, NothingIsFreeAtFirst) {
  EXPECT_EQ(Find(1), -1);
  ASSERT_TRUE(index_.EnsurePages({1000}, 0));
  EXPECT_EQ(Find(1), -1);
  EXPECT_EQ(index_.LongestFree().value, 0U);
  EXPECT_EQ(index_.Count(Bits::kFree, Pages(0, 1000)).value, 0U);
}

struct Picture {
  const char* pages;  // 'F' free, '.' used
  uint32_t length, alignment;
  int found;  // -1: nothing
};

// The documented meaning: the first multiple of the alignment from which so many pages are free, in
// the first eight runs that are long enough, or else in one of length + alignment - 1.
constexpr Picture kPictures[] = {
    {"F", 1, 1, 0},
    {".F", 1, 1, 1},
    {"..F..FF..FFF", 1, 1, 2},
    {"..F..FF..FFF", 2, 1, 5},
    {"..F..FF..FFF", 3, 1, 9},
    {"..F..FF..FFF", 4, 1, -1},
    {"FFFF.FFFF", 4, 1, 0},
    {"FFFF.FFFFF", 5, 1, 5},
    {".FFFFFF", 3, 2, 2},
    {".FFFFFFF", 4, 4, 4},
    {"FFFF", 4, 4, 0},
    {".FFFF", 4, 4, -1},
    {"..FFFFF", 4, 4, -1},
    {"..FFFFFF", 4, 4, 4},
    {".FFFF..FFFFF", 4, 4, 8},
    {"FFF.FFF.FFFFFF", 4, 3, 9},
    {"FFFFF.FFFF.FFFFF", 5, 11, 0},
    // Eight that are long enough and do not fit: then only a run of length + alignment - 1 counts.
    {".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     "FFFFFF",
     2, 6, -1},
    {".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     ".FF..."
     "FFFFFFF",
     2, 6, 48},
};

TEST_F(PageIndexTest, Pictures) {
  for (const Picture& picture : kPictures) {
    PageIndex index;
    FakeMemory os;
    os.PutForeign(kArenaHint, 64 * kKiB);
    os.PutForeign(kArenaHint + kArenaHintStep, 64 * kKiB);  // The fixture's arena.
    Arena arena;
    ASSERT_TRUE(arena.Init(os, false));
    index.Init(arena);
    const std::string pages = picture.pages;
    ASSERT_TRUE(index.EnsurePages({static_cast<uint32_t>(pages.size())}, 0));
    for (uint32_t i = 0; i < pages.size(); ++i) {
      if (pages[i] == 'F') index.MarkFree(Pages(i, i + 1));
    }
    PageRun found;
    const bool any = index.FindFree({picture.length}, {picture.alignment}, &found);
    EXPECT_EQ(any ? static_cast<int>(found.begin.value) : -1, picture.found)
        << picture.pages << " length " << picture.length << " alignment " << picture.alignment;
    if (any) {
      index.MarkUsed(found);
      EXPECT_FALSE(index.Any(Bits::kFree, found));
    }
  }
}

TEST_F(PageIndexTest, RunsAcrossEveryKindOfBoundary) {
  const uint32_t end = 2 * kGroup2;
  ASSERT_TRUE(index_.EnsurePages({end}, 0));
  for (const uint32_t boundary : {kWord, kChunk, 3 * kChunk, kGroup, 5 * kGroup, kGroup2}) {
    for (const uint32_t before : {1U, 3U, kWord, kWord + 1, kChunk - 1}) {
      for (const uint32_t after : {1U, 2U, kWord, kChunk, kChunk + 7}) {
        if (before > boundary) continue;
        const PageRun run = Pages(boundary - before, boundary + after);
        index_.MarkFree(run);
        ASSERT_EQ(index_.LongestFree(), run.length) << boundary;
        ASSERT_EQ(Find(1), boundary - before);
        ASSERT_EQ(Find(before + after), boundary - before);
        ASSERT_EQ(Find(before + after + 1), -1);
        PageRun found;
        ASSERT_TRUE(index_.FirstWith(Bits::kFree, true, Pages(0, end), &found));
        ASSERT_EQ(found, run);
        ASSERT_TRUE(index_.FirstWith(Bits::kFree, false, run, &found) == false);
        index_.MarkUsed(run);
        ASSERT_EQ(Find(1), -1) << boundary;
      }
    }
  }
}

TEST_F(PageIndexTest, ARunLongerThanAnyLevelCovers) {
  if (kNarrowAddresses) GTEST_SKIP() << "no window of 32 bits has a third level";
  // 20 GiB: more than an entry of the third level covers.
  const uint32_t end = 20 * kGroup2;
  ASSERT_TRUE(index_.EnsurePages({end}, 0));
  index_.MarkFree(Pages(5, end));
  EXPECT_EQ(index_.LongestFree().value, end - 5);
  EXPECT_EQ(Find(end - 5), 5);
  EXPECT_EQ(Find(end - 4), -1);
  EXPECT_EQ(Find(1, kGroup), kGroup);
  index_.MarkUsed(Pages(17 * kGroup2, 17 * kGroup2 + 1));
  EXPECT_EQ(index_.LongestFree().value, 17 * kGroup2 - 5);
  EXPECT_EQ(Find(3 * kGroup2 - 1), 5);
  index_.MarkUsed(Pages(kGroup2, kGroup2 + 1));
  EXPECT_EQ(Find(kGroup2), kGroup2 + 1);
}

TEST_F(PageIndexTest, GrowthKeepsEverythingAsLevelsComeIntoUse) {
  uint32_t end = 600;
  ASSERT_TRUE(index_.EnsurePages({end}, 0));
  index_.MarkFree(Pages(100, 300));
  for (const uint32_t grown : {kGroup - 1, kGroup, kGroup + 1, 2 * kGroup, 16 * kGroup + 1,
                               2 * kGroup2, 17 * kGroup2, 40 * kGroup2}) {
    if (kNarrowAddresses && grown > 3 * kGroup2) break;  // The end of its window.
    ASSERT_TRUE(index_.EnsurePages({grown}, 0));
    ASSERT_EQ(Find(200), 100) << grown;
    ASSERT_EQ(Find(201), -1) << grown;
    // A run that ends with the heap, and its growth in place.
    index_.MarkFree(Pages(grown - 250, grown));
    ASSERT_EQ(Find(201), grown - 250) << grown;
    ASSERT_EQ(index_.LongestFree().value, 250U) << grown;
    index_.MarkUsed(Pages(grown - 250, grown));
    end = grown;
  }
  EXPECT_EQ(index_.Count(Bits::kFree, Pages(0, end)).value, 200U);
}

TEST_F(PageIndexTest, WithoutMemoryNothingIsLost) {
  constexpr uint32_t kEnd = (kNarrowAddresses ? 3 : 50) * kGroup2;
  ASSERT_TRUE(index_.EnsurePages({1000}, 0));
  index_.MarkFree(Pages(10, 500));
  // Summaries of so little as 32 bits address fit in the page that they have.
  for (int n = 1; n <= (kNarrowAddresses ? 1 : 2); ++n) {
    os_.FailFromNth(n);
    EXPECT_FALSE(index_.EnsurePages({kEnd}, 0));
    os_.Heal();
    EXPECT_EQ(Find(490), 10);
    EXPECT_EQ(Find(491), -1);
    EXPECT_EQ(index_.LongestFree().value, 490U);
  }
  ASSERT_TRUE(index_.EnsurePages({kEnd}, 0));
  index_.MarkFree(Pages(kEnd - kGroup2, kEnd));
  EXPECT_EQ(Find(491), kEnd - kGroup2);
}

TEST_F(PageIndexTest, LastFreeWithWantsBothBitsAndTakesTheUpperPart) {
  ASSERT_TRUE(index_.EnsurePages({3 * kGroup}, 0));
  PageRun found;
  EXPECT_FALSE(index_.LastFreeWith(Bits::kDirty, {3 * kGroup}, {100}, &found));
  index_.MarkFree(Pages(kChunk - 10, kChunk + 10));
  EXPECT_FALSE(index_.LastFreeWith(Bits::kDirty, {3 * kGroup}, {100}, &found)) << "not dirty";
  index_.Set(Bits::kDirty, Pages(kChunk - 20, kChunk + 5));
  ASSERT_TRUE(index_.LastFreeWith(Bits::kDirty, {3 * kGroup}, {100}, &found));
  EXPECT_EQ(found, Pages(kChunk - 10, kChunk + 5));
  ASSERT_TRUE(index_.LastFreeWith(Bits::kDirty, {3 * kGroup}, {7}, &found));
  EXPECT_EQ(found, Pages(kChunk - 2, kChunk + 5));
  ASSERT_TRUE(index_.LastFreeWith(Bits::kDirty, {kChunk}, {100}, &found));
  EXPECT_EQ(found, Pages(kChunk - 10, kChunk));
  EXPECT_FALSE(index_.LastFreeWith(Bits::kDirty, {kChunk - 10}, {100}, &found));
  EXPECT_FALSE(index_.LastFreeWith(Bits::kDirty, {0}, {100}, &found));
  // Down to the very first page.
  index_.MarkFree(Pages(0, 3));
  index_.Set(Bits::kDirty, Pages(0, 3));
  ASSERT_TRUE(index_.LastFreeWith(Bits::kDirty, {kChunk - 10}, {100}, &found));
  EXPECT_EQ(found, Pages(0, 3));
}

// A vector for each kind of bit, searched page by page.
class Model {
 public:
  explicit Model(uint32_t pages) : bits_(3, std::vector<bool>(pages)) {}

  std::vector<bool>& operator[](Bits bits) { return bits_[static_cast<size_t>(bits)]; }

  void Assign(Bits bits, PageRun run, bool value) {
    auto& plane = (*this)[bits];
    std::fill(plane.begin() + run.begin.value, plane.begin() + run.end().value, value);
  }

  // Calls visit(run) for the maximal runs with the bit, lowest first, until it returns true.
  template <typename Visit>
  bool ForEachRun(Bits bits, bool value, PageRun within, Visit visit) {
    const auto& plane = (*this)[bits];
    uint32_t page = within.begin.value;
    while (page < within.end().value) {
      if (plane[page] != value) {
        ++page;
        continue;
      }
      uint32_t end = page;
      while (end < within.end().value && plane[end] == value) ++end;
      if (visit(Pages(page, end))) return true;
      page = end;
    }
    return false;
  }

  PageRun All() { return Pages(0, static_cast<uint32_t>(bits_[0].size())); }

  int64_t Find(uint32_t length, uint32_t alignment) {
    int64_t start = -1;
    int tries = 0;
    ForEachRun(Bits::kFree, true, All(), [&](PageRun run) {
      if (run.length.value < length) return false;
      const uint32_t aligned = (run.begin.value + alignment - 1) / alignment * alignment;
      const bool fits = aligned + length <= run.end().value;
      if (++tries > 8 ? run.length.value < length + alignment - 1 : !fits) return false;
      start = aligned;
      return true;
    });
    return start;
  }

  uint32_t Longest() {
    uint32_t longest = 0;
    ForEachRun(Bits::kFree, true, All(), [&](PageRun run) {
      longest = std::max(longest, run.length.value);
      return false;
    });
    return longest;
  }

  bool LastFreeWith(Bits bits, uint32_t end, uint32_t limit, PageRun* found) {
    const auto fits = [&](uint32_t page) {
      return (*this)[Bits::kFree][page] && (*this)[bits][page];
    };
    while (end > 0 && !fits(end - 1)) --end;
    if (end == 0) return false;
    uint32_t begin = end - 1;
    while (begin > 0 && end - begin < limit && fits(begin - 1)) --begin;
    *found = Pages(begin, end);
    return true;
  }

 private:
  std::vector<std::vector<bool>> bits_;
};

struct Shape {
  uint32_t pages;
  int rounds;
  uint32_t longest_mark;
};

class PageIndexModelTest : public PageIndexTest, public testing::WithParamInterface<Shape> {};

TEST_P(PageIndexModelTest, AgreesAfterEveryMark) {
  const Shape shape = GetParam();
  const uint64_t seed = 42 + shape.pages;
  std::mt19937_64 random(seed);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  ASSERT_TRUE(index_.EnsurePages({shape.pages}, 0));
  Model model(shape.pages);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  const auto any_run = [&](uint32_t longest) {
    const uint32_t begin = below(shape.pages);
    return Pages(begin, begin + 1 + below(std::min(longest, shape.pages - begin)));
  };
  for (int round = 0; round < shape.rounds; ++round) {
    const PageRun run = any_run(shape.longest_mark);
    switch (below(6)) {
      case 0:
      case 1:
        index_.MarkFree(run);
        model.Assign(Bits::kFree, run, true);
        break;
      case 2:
      case 3:
        index_.MarkUsed(run);
        model.Assign(Bits::kFree, run, false);
        break;
      case 4:
        index_.Set(Bits::kDirty, run);
        model.Assign(Bits::kDirty, run, true);
        break;
      case 5:
        index_.Clear(Bits::kDirty, run);
        model.Assign(Bits::kDirty, run, false);
        break;
    }
    ASSERT_EQ(index_.LongestFree().value, model.Longest()) << "round " << round;
    const uint32_t longest = std::max(1U, model.Longest());
    for (const uint32_t alignment : {1U, 2U, 8U, 3U, 7U, 15U, 64U, 1U + below(100)}) {
      const uint32_t length = 1 + below(longest);
      ASSERT_EQ(Find(length, alignment), model.Find(length, alignment))
          << "round " << round << " length " << length << " alignment " << alignment;
    }
    ASSERT_EQ(Find(longest), model.Find(longest, 1)) << "round " << round;
    ASSERT_EQ(Find(longest + 1), -1) << "round " << round;

    const PageRun window = any_run(shape.pages);
    for (const Bits bits : {Bits::kFree, Bits::kDirty}) {
      for (const bool value : {true, false}) {
        PageRun expected = {}, found = {};
        const bool is_some = model.ForEachRun(bits, value, window, [&](PageRun r) {
          expected = r;
          return true;
        });
        ASSERT_EQ(index_.FirstWith(bits, value, window, &found), is_some) << "round " << round;
        if (is_some) {
          ASSERT_EQ(found, expected) << "round " << round;
        }
        ASSERT_EQ(value ? index_.Any(bits, window) : !index_.All(bits, window), is_some);
      }
      const auto& plane = model[bits];
      ASSERT_EQ(
          index_.Count(bits, window).value,
          std::count(plane.begin() + window.begin.value, plane.begin() + window.end().value, true));
    }
    PageRun expected = {}, found = {};
    const uint32_t end = 1 + below(shape.pages), limit = 1 + below(200);
    const bool is_some = model.LastFreeWith(Bits::kDirty, end, limit, &expected);
    ASSERT_EQ(index_.LastFreeWith(Bits::kDirty, {end}, {limit}, &found), is_some);
    if (is_some) {
      ASSERT_EQ(found, expected) << "round " << round << " end " << end << " limit " << limit;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, PageIndexModelTest,
                         testing::Values(Shape{100, 3000, 20}, Shape{2 * kChunk + 5, 2000, 100},
                                         Shape{2 * kGroup + 77, 400, 2000},
                                         Shape{2 * kGroup, 300, 5},
                                         Shape{kGroup2 + kGroup + 9, 60, 50000}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.pages) + "PagesMarks" +
                                  std::to_string(shape.param.longest_mark);
                         });

}  // namespace
}  // namespace prairie
