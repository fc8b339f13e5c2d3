// The page map and the allocated plane: entries by page, bits by granule, growth and failure.
#include "allocator/pages/page_map.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "allocator/pages/heap_bitmap.h"
#include "tests/support/fake_memory.h"
#include "tests/support/test_heap.h"

namespace prairie {
namespace {

class PageMapTest : public testing::Test {
 protected:
  // The heap lends its arena and operating system; its own map stays empty.
  TestHeap heap_;
  PageMap& map_ = heap_.page_map();
  BitmapPlane& plane_ = heap_.allocated();
};

TEST_F(PageMapTest, EntriesBeginAsZero) {
  ASSERT_TRUE(map_.EnsurePages({1000}, 0));
  for (uint32_t page = 0; page < 1000; ++page) {
    EXPECT_EQ(map_.class_of({page}), 0);
    EXPECT_EQ(map_.span_of({page}), nullptr);
  }
}

TEST_F(PageMapTest, ARunIsSetAndItsNeighboursAreNot) {
  ASSERT_TRUE(map_.EnsurePages({100}, 0));
  Span span = {};
  map_.SetSpan({{10}, {5}}, &span);
  map_.SetClass({{12}, {2}}, 7);
  for (uint32_t page = 0; page < 100; ++page) {
    EXPECT_EQ(map_.span_of({page}), page >= 10 && page < 15 ? &span : nullptr) << page;
    EXPECT_EQ(map_.class_of({page}), page == 12 || page == 13 ? 7 : 0) << page;
  }
  map_.SetClass({{12}, {2}}, 0);
  EXPECT_EQ(map_.class_of({12}), 0);
}

TEST_F(PageMapTest, GrowingKeepsWhatIsThere) {
  ASSERT_TRUE(map_.EnsurePages({1}, 0));
  map_.SetClass({{0}, {1}}, 9);
  const size_t committed = map_.committed_bytes();
  ASSERT_TRUE(map_.EnsurePages({100000}, 0));
  EXPECT_GT(map_.committed_bytes(), committed);
  EXPECT_EQ(map_.class_of({0}), 9);
  EXPECT_EQ(map_.class_of({99999}), 0);
  // Nine bytes a page, but for the rounding of the two arrays.
  EXPECT_LE(map_.committed_bytes(), 100000 * 9 + 2 * heap_.os().PageSize());
}

TEST_F(PageMapTest, WithoutMemoryItStaysUsable) {
  ASSERT_TRUE(map_.EnsurePages({100}, 0));
  for (int n = 1; n <= 2; ++n) {
    heap_.os().FailFromNth(n);
    EXPECT_FALSE(map_.EnsurePages({400000}, 0));
    heap_.os().Heal();
    EXPECT_EQ(map_.class_of({99}), 0);
  }
  EXPECT_TRUE(map_.EnsurePages({400000}, 0));
}

TEST_F(PageMapTest, ASpanCoversItsPagesUntilItIsRetired) {
  Span span = {};
  span.first_page = {10};
  span.pages = {5};
  span.kind = SpanKind::kLarge;
  EXPECT_FALSE(span.Covers({9}));
  EXPECT_TRUE(span.Covers({10}));
  EXPECT_TRUE(span.Covers({14}));
  EXPECT_FALSE(span.Covers({15}));
  span.kind = SpanKind::kUnused;
  EXPECT_FALSE(span.Covers({10}));
}

TEST_F(PageMapTest, AListOfSpansLosesAnyOfThem) {
  Span spans[4] = {};
  for (int removed = 0; removed < 4; ++removed) {
    SpanList list;
    EXPECT_TRUE(list.empty());
    for (Span& span : spans) list.PushFront(&span);
    EXPECT_EQ(list.first(), &spans[3]);
    list.Remove(&spans[removed]);
    std::vector<Span*> left;
    for (Span* span = list.first(); span != nullptr; span = span->next) {
      EXPECT_EQ(span->previous, left.empty() ? nullptr : left.back());
      left.push_back(span);
    }
    std::vector<Span*> expected;
    for (int i = 3; i >= 0; --i) {
      if (i != removed) expected.push_back(&spans[i]);
    }
    EXPECT_EQ(left, expected);
    for (Span* span : left) list.Remove(span);
    EXPECT_TRUE(list.empty());
  }
}

using HeapBitmapTest = PageMapTest;

TEST_F(HeapBitmapTest, BitsAgreeWithAModel) {
  constexpr uint32_t kPages = 64;
  constexpr size_t kGranules = kPages * kPageSize / kGranuleSize;
  ASSERT_TRUE(plane_.EnsurePages({kPages}, 0));
  std::vector<bool> model(kGranules);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200000; ++i) {
    const size_t granule = random() % kGranules;
    const size_t offset = granule * kGranuleSize;
    ASSERT_EQ(plane_.Test(offset), model[granule]) << granule;
    switch (random() % 4) {
      case 0:
      case 1:
        plane_.Set(offset);
        model[granule] = true;
        break;
      case 2:
        plane_.Clear(offset);
        model[granule] = false;
        break;
      case 3:
        ASSERT_EQ(plane_.bits().TestAndClear(offset), model[granule]) << granule;
        model[granule] = false;
        break;
    }
  }
  for (size_t granule = 0; granule < kGranules; ++granule) {
    ASSERT_EQ(plane_.Test(granule * kGranuleSize), model[granule]) << granule;
  }
}

TEST_F(HeapBitmapTest, EdgesOfPagesAndWords) {
  ASSERT_TRUE(plane_.EnsurePages({2}, 0));
  const size_t edges[] = {
      0,         63 * kGranuleSize,           64 * kGranuleSize, kPageSize - kGranuleSize,
      kPageSize, 2 * kPageSize - kGranuleSize};
  for (const size_t edge : edges) {
    plane_.Set(edge);
    for (size_t offset = 0; offset < 2 * kPageSize; offset += kGranuleSize) {
      ASSERT_EQ(plane_.Test(offset), offset == edge) << edge;
    }
    plane_.Clear(edge);
    EXPECT_FALSE(plane_.Test(edge));
  }
}

TEST_F(HeapBitmapTest, TakesOneBitForEachGranule) {
  ASSERT_TRUE(plane_.EnsurePages({1024}, 0));
  EXPECT_EQ(plane_.committed_bytes(), 1024 * kPageSize / 128);
}

}  // namespace
}  // namespace prairie
