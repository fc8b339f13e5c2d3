// How many mappings a heap is for the kernel, which permits 65530 in a process: bounded, whatever
// is given back and moved, and memory is given back all the same.
#include <gtest/gtest.h>

#include <vector>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using State = FakeMemory::State;

constexpr int kMostMappings = 65530;

class PageHeapMappingsTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  // The smallest span that can lose its access alone.
  Span* Unit() {
    return pages().Allocate(PagesFor(GetParam().os_page_size), {1}, SpanKind::kLarge);
  }
  int Mappings() { return heap().os().Mappings(); }
};

TEST_P(PageHeapMappingsTest, AComb) {
  constexpr int kTeeth = 12000;
  std::vector<Span*> teeth, gaps;
  const int empty = Mappings();
  for (int i = 0; i < kTeeth; ++i) {
    teeth.push_back(Unit());
    gaps.push_back(Unit());
    ASSERT_NE(gaps.back(), nullptr);
    *heap().Memory(gaps.back()) = 1;
  }
  EXPECT_LT(Mappings(), empty + 10) << "a heap without gaps is one mapping";
  for (Span* gap : gaps) pages().Free(gap);
  pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
  const int comb = Mappings();
  EXPECT_GT(comb, 8000) << "gaps lose their access while mappings are plenty";
  EXPECT_LT(comb, kMostMappings / 3) << "and there they stop";
  const PageHeapStats stats = pages().stats();
  EXPECT_EQ(stats.free_dirty_bytes, 0U) << "but the memory of every gap was given back";
  EXPECT_GT(stats.committed_bytes, kTeeth * Unit()->pages.bytes()) << "some keep their access";
  heap().Check();
  for (Span* tooth : teeth) pages().Free(tooth);
  pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
  EXPECT_LT(Mappings(), empty + 10);
  heap().Check();
}

TEST_P(PageHeapMappingsTest, ManyMoves) {
  constexpr int kSpans = 6000;
  std::vector<Span*> spans;
  for (int i = 0; i < kSpans; ++i) spans.push_back(Unit());
  int moved = 0;
  for (Span*& span : spans) {
    Span* const target = pages().Move(span, span->pages);
    if (target == nullptr) break;
    span = target;
    ++moved;
  }
  EXPECT_GT(moved, 1000) << "moves are of use";
  EXPECT_LT(moved, kSpans) << "and bounded";
  EXPECT_LT(Mappings(), kMostMappings / 3);
  heap().Check();
  // One that goes, and is not kept for the next request, makes room for another.
  pages().Free(spans[0]);
  pages().ReleaseFree({1});
  ASSERT_NE(pages().Move(spans.back(), spans.back()->pages), nullptr);
  EXPECT_EQ(pages().Move(spans[kSpans - 2], spans[kSpans - 2]->pages), nullptr);
  heap().Check();
}

// Moved pages bring a mapping of their own along; it must not outlive the span.
TEST_P(PageHeapMappingsTest, MovesWithoutEnd) {
  ASSERT_NE(Unit(), nullptr);
  const int at_first = Mappings();
  for (int round = 0; round < 20; ++round) {
    std::vector<Span*> spans;
    for (int i = 0; i < 1000; ++i) {
      Span* const span = Unit();
      Span* const target = pages().Move(span, span->pages);
      ASSERT_NE(target, nullptr) << "move " << i << " of round " << round;
      spans.push_back(target);
    }
    for (Span* span : spans) pages().Free(span);
    EXPECT_LT(Mappings(), at_first + 20) << "round " << round;
  }
  heap().Check();
}

INSTANTIATE_HEAP_MODES(PageHeapMappingsTest);

}  // namespace
}  // namespace prairie
