// When the page heap asks for huge pages, and what becomes of those that came before.
#include <gtest/gtest.h>

#include <vector>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/needs.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;

class HugePagesTest : public TestWithHeap {
 protected:
  void NewHeapWith(HugePages mode) {
    TestHeapConfig config = GetParam();
    config.huge_pages = mode;
    NewHeap(config);
  }
  PageHeap& pages() { return heap().page_heap(); }
  Span* Large(size_t bytes) { return pages().Allocate(PagesFor(bytes), {1}, SpanKind::kLarge); }
  // Spans of `kind` until `bytes` are committed.
  std::vector<Span*> Fill(size_t bytes, SpanKind kind) {
    std::vector<Span*> spans;
    while (pages().stats().committed_bytes < bytes) {
      spans.push_back(pages().Allocate(PagesFor(kMiB / 2), {1}, kind));
      pages().CollapseIfDue();
    }
    return spans;
  }
  int Collapsed() { return heap().os().calls(Call::kCollapseToHugePage); }
};

TEST_P(HugePagesTest, HugePagesAreAskedForInLargeHeaps) {
  PRAIRIE_NEEDS_MEMORY(512, "a heap of 264 MiB");
  for (const HugePages mode : {HugePages::kAuto, HugePages::kAlways, HugePages::kNever}) {
    NewHeapWith(mode);
    Large(3 * kMiB / 2);
    const int small = heap().os().calls(Call::kAdviseHugePages);
    Large(256 * kMiB);
    const int large = heap().os().calls(Call::kAdviseHugePages);
    EXPECT_EQ(small > 0, mode == HugePages::kAlways);
    EXPECT_EQ(large > 0, mode != HugePages::kNever);
  }
}

// A call may have to wait for the faults of other threads.
TEST_P(HugePagesTest, HugePagesAreAskedForFarAhead) {
  PRAIRIE_NEEDS_MEMORY(512, "a heap of 256 MiB");
  NewHeapWith(HugePages::kAuto);
  std::vector<Span*> spans;
  while (pages().stats().committed_bytes < 256 * kMiB) spans.push_back(Large(kMiB));
  EXPECT_LE(heap().os().calls(Call::kAdviseHugePages), 5);
  EXPECT_LE(heap().os().calls(Call::kCommit), 80) << "of pages and of arrays";
  // What loses its access may lose the advice.
  const int before = heap().os().calls(Call::kAdviseHugePages);
  for (Span* span : spans) pages().Free(span);
  pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
  ASSERT_NE(Large(64 * kMiB), nullptr);
  EXPECT_GT(heap().os().calls(Call::kAdviseHugePages), before);
  heap().Check();
}

// What came before is made up for, one with each commit.
TEST_P(HugePagesTest, WhatCameBeforeHugePagesBecomesSome) {
  for (const HugePages mode : {HugePages::kAuto, HugePages::kAlways, HugePages::kNever}) {
    NewHeapWith(mode);
    Fill(4 * kMiB, SpanKind::kSmall);
    EXPECT_LE(Collapsed(), 1);
    Fill(40 * kMiB, SpanKind::kLarge);
    EXPECT_EQ(Collapsed(), mode == HugePages::kAuto ? 1 : 0) << "the second is one already";
    heap().Check();
  }
}

// It takes long: not while the page heap's lock is held.
TEST_P(HugePagesTest, NoneBecomesOneBeforeItIsAskedFor) {
  NewHeapWith(HugePages::kAuto);
  while (pages().stats().committed_bytes < 40 * kMiB) {
    pages().Allocate(PagesFor(kMiB / 2), {1}, SpanKind::kSmall);
  }
  EXPECT_EQ(Collapsed(), 0);
  pages().CollapseIfDue();
  EXPECT_EQ(Collapsed(), 1);
  pages().CollapseIfDue();
  EXPECT_EQ(Collapsed(), 1) << "and once only";
}

// A part of it is idle when huge pages are first asked for.
TEST_P(HugePagesTest, WhatIsHandedOutLaterBecomesOneLater) {
  NewHeapWith(HugePages::kAuto);
  Span* const idle = pages().Allocate(PagesFor(kMiB / 2), {1}, SpanKind::kSmall);
  Span* const next = pages().Allocate(PagesFor(kMiB / 2), {1}, SpanKind::kSmall);
  pages().Free(idle);
  pages().ReleaseFree({UINT32_MAX});
  pages().Allocate(PagesFor(12 * kMiB), {1}, SpanKind::kSmall);
  pages().CollapseIfDue();
  EXPECT_EQ(Collapsed(), 0);
  Span* const again = pages().Allocate(PagesFor(kMiB / 2), {1}, SpanKind::kSmall);
  ASSERT_LT(again->first_page, next->first_page) << "the lowest that fits";
  Fill(40 * kMiB, SpanKind::kSmall);
  EXPECT_EQ(Collapsed(), 1);
}

TEST_P(HugePagesTest, WhatWentBackMeanwhileIsLeftAlone) {
  NewHeapWith(HugePages::kAuto);
  std::vector<Span*> spans;
  while (pages().stats().committed_bytes < 40 * kMiB) {
    spans.push_back(pages().Allocate(PagesFor(kMiB / 2), {1}, SpanKind::kSmall));
  }
  for (Span* span : spans) pages().Free(span);
  pages().ReleaseFree({UINT32_MAX});
  pages().CollapseIfDue();
  EXPECT_EQ(Collapsed(), 0);
}

TEST_P(HugePagesTest, AFailureChangesNothing) {
  NewHeapWith(HugePages::kAuto);
  heap().os().FailFromNth(1, Call::kCollapseToHugePage);
  Fill(40 * kMiB, SpanKind::kSmall);
  EXPECT_EQ(Collapsed(), 1) << "it is tried once";
  heap().Check();
}

TEST_P(HugePagesTest, TheAdministratorIsHeard) {
  TestHeapConfig config = GetParam();
  config.huge_pages = HugePages::kAuto;
  config.may_have_huge_pages = false;
  NewHeap(config);
  Fill(40 * kMiB, SpanKind::kSmall);
  EXPECT_EQ(Collapsed(), 0);
}

TEST_P(HugePagesTest, WhatMayHaveNoMemoryIsNotMadeAHugePage) {
  NewHeapWith(HugePages::kAuto);
  const auto spans = Fill(6 * kMiB, SpanKind::kSmall);
  pages().Free(spans[5]);
  pages().ReleaseFree({UINT32_MAX});
  Fill(40 * kMiB, SpanKind::kLarge);
  EXPECT_EQ(Collapsed(), 1) << "something of the second has gone back, the third is a large one";
  heap().Check();
}

// The kernel moves a huge page as a whole to where there can be one, and else takes it apart.
TEST_P(HugePagesTest, WhatMovesStaysInHugePages) {
  const auto place = [](const Span* span) {
    return span->first_page.value % PagesFor(kHugePageSize).value;
  };
  for (const HugePages mode : {HugePages::kAuto, HugePages::kNever}) {
    NewHeapWith(mode);
    Large(kMiB / 2);
    Span* span = Large(5 * kMiB);
    const uint32_t before = place(span);
    ASSERT_NE(before, 0U);
    for (const size_t size : {7 * kMiB, 13 * kMiB, 27 * kMiB}) {
      Large(kMiB / 4);  // Behind which there would be room, too.
      span = pages().Move(span, PagesFor(size));
      ASSERT_NE(span, nullptr);
      if (mode == HugePages::kAuto) {
        EXPECT_EQ(place(span), before) << size;
      }
    }
    heap().Check();
  }
}

// Where a limit is set, what is committed and free is worth more than huge pages.
TEST_P(HugePagesTest, NothingIsCommittedForAPlaceUnderALimit) {
  NewHeapWith(HugePages::kAuto);
  Span* const room = Large(25 * kMiB / 4);  // Not so long that there is such a place in it.
  Large(kMiB / 2);
  Span* const span = Large(5 * kMiB);
  Large(kMiB / 4);
  ASSERT_NE((span->first_page - room->first_page).value % PagesFor(kHugePageSize).value, 0U);
  pages().Free(room);
  pages().SetLimit({0, pages().stats().committed_bytes + kMiB});
  const size_t before = pages().stats().committed_bytes;
  EXPECT_NE(pages().Move(span, PagesFor(6 * kMiB)), nullptr);
  EXPECT_EQ(pages().stats().committed_bytes, before);
  heap().Check();
}

// Where it was is a new mapping, for which nobody has asked yet.
TEST_P(HugePagesTest, WhatWasMovedToHasThemAgainAfterwards) {
  PRAIRIE_NEEDS_MEMORY(512, "a heap of 128 MiB");
  NewHeapWith(HugePages::kAuto);
  Large(64 * kMiB);  // Asked for, beyond the end of it.
  Span* const first = pages().Move(Large(6 * kMiB), PagesFor(8 * kMiB));
  ASSERT_NE(first, nullptr);
  const int before = heap().os().calls(Call::kAdviseHugePages);
  const int renewed = heap().os().calls(Call::kRenew);
  Span* const second = pages().Move(first, PagesFor(10 * kMiB));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(heap().os().calls(Call::kRenew), renewed + 1);
  EXPECT_EQ(heap().os().calls(Call::kAdviseHugePages), before + 1);
  pages().Free(second);
  EXPECT_EQ(heap().os().calls(Call::kAdviseHugePages), before + 2);
  heap().Check();
}

INSTANTIATE_RESERVED_MODES(HugePagesTest);

}  // namespace
}  // namespace prairie
