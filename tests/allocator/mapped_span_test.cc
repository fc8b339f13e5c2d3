// Spans for mappings of the program's: addresses without memory, in the middle of a heap.
#include <gtest/gtest.h>

#include <vector>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using State = FakeMemory::State;

class MappedSpanTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  PageCount guard() { return PagesFor(GetParam().os_page_size); }
  uintptr_t Address(const Span* span) { return heap().arena().AddressOf(span->first_page); }
};

TEST_P(MappedSpanTest, IsReservedAndNotCommitted) {
  Span* const span = pages().AllocateMapped({100}, {1}, "name");
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(span->kind, SpanKind::kMapped);
  EXPECT_GE(span->pages, PageCount{100} + guard());
  EXPECT_TRUE(heap().os().Is(Address(span), span->pages.bytes(), State::kReserved));
  EXPECT_EQ(pages().stats().foreign_bytes, span->pages.bytes());
  heap().Check();
  // Nobody gets these pages, whatever is asked for.
  std::vector<Span*> others;
  for (int i = 0; i < 50; ++i) {
    others.push_back(pages().Allocate({64}, {1}, SpanKind::kLarge));
    ASSERT_NE(others.back(), nullptr);
    EXPECT_TRUE(others.back()->first_page >= span->first_page + span->pages ||
                others.back()->first_page + others.back()->pages <= span->first_page);
  }
  pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
  EXPECT_TRUE(heap().os().Is(Address(span), span->pages.bytes(), State::kReserved));
  for (Span* other : others) pages().Free(other);
  EXPECT_TRUE(pages().FreeMapped(span->first_page));
  EXPECT_EQ(pages().stats().foreign_bytes, 0U);
  heap().Check();
}

TEST_P(MappedSpanTest, TakesTheAccessOfPagesThatWereUsed) {
  Span* const used = pages().Allocate({200}, {1}, SpanKind::kLarge);
  ASSERT_NE(used, nullptr);
  const PageId first = used->first_page;
  heap().Memory(used)[0] = 1;
  pages().Free(used);
  const size_t committed = pages().stats().committed_bytes;
  Span* const span = pages().AllocateMapped({100}, {1}, "name");
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(span->first_page, first) << "the lowest run that fits";
  EXPECT_TRUE(heap().os().Is(Address(span), span->pages.bytes(), State::kReserved));
  EXPECT_EQ(pages().stats().committed_bytes, committed - span->pages.bytes());
  heap().Check();
  ASSERT_TRUE(pages().FreeMapped(first));
  // The pages come back as fresh ones.
  Span* const again = pages().Allocate({100}, {1}, SpanKind::kLarge);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(heap().Memory(again)[0], 0);
  pages().Free(again);
  heap().Check();
}

TEST_P(MappedSpanTest, KernelRefusesToTakeAccess) {
  Span* const used = pages().Allocate({200}, {1}, SpanKind::kLarge);
  ASSERT_NE(used, nullptr);
  pages().Free(used);
  heap().os().FailFromNth(1, FakeMemory::Call::kDecommit);
  EXPECT_EQ(pages().AllocateMapped({100}, {1}, "name"), nullptr);
  EXPECT_GT(heap().os().failures(), 0);
  heap().os().Heal();
  heap().Check();
  EXPECT_EQ(pages().stats().foreign_bytes, 0U);
}

TEST_P(MappedSpanTest, Alignment) {
  Span* const other = pages().Allocate({3}, {1}, SpanKind::kLarge);
  Span* const span = pages().AllocateMapped({10}, PagesFor(kHugePageSize), "name");
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(Address(span) % kHugePageSize, 0U);
  EXPECT_TRUE(pages().FreeMapped(span->first_page));
  pages().Free(other);
  heap().Check();
}

TEST_P(MappedSpanTest, OnlyWhatIsLiveIsInThePageMap) {
  Span* const span = pages().AllocateMapped({1000}, {1}, "name");
  ASSERT_NE(span, nullptr);
  const PageId first = span->first_page;
  EXPECT_EQ(heap().SpanAt(first), span);
  EXPECT_EQ(heap().SpanAt(first + PageCount{1}), nullptr);
  EXPECT_TRUE(pages().SetLive(first, 10 * kPageSize + 1));
  EXPECT_EQ(heap().SpanAt(first + PageCount{10}), span);
  EXPECT_EQ(heap().SpanAt(first + PageCount{11}), nullptr);
  EXPECT_EQ(span->live_bytes, 10 * kPageSize + 1);
  EXPECT_FALSE(pages().SetLive(first, span->pages.bytes())) << "the guard is never live";
  EXPECT_FALSE(pages().SetLive(first + PageCount{1}, 1));
  EXPECT_TRUE(pages().SetLive(first, (span->pages - guard()).bytes()));
  heap().Check();
  EXPECT_FALSE(pages().FreeMapped(first + PageCount{1}));
  EXPECT_TRUE(pages().FreeMapped(first));
  EXPECT_FALSE(pages().FreeMapped(first)) << "twice";
  EXPECT_FALSE(pages().SetLive(first, 1));
  EXPECT_EQ(heap().SpanAt(first), nullptr);
  heap().Check();
}

TEST_P(MappedSpanTest, NoRoomOrNoMemory) {
  const PageCount window = PagesFor(heap().arena().window());
  EXPECT_EQ(pages().AllocateMapped(window, {1}, "name"), nullptr);
  heap().os().FailFromNth(1);
  EXPECT_EQ(pages().AllocateMapped(PagesFor(4 * kGiB), {1}, "name"), nullptr);
  heap().os().Heal();
  heap().Check();
}

// A limit is set while a mapped span is out: its pages go back to everybody with it.
TEST_P(MappedSpanTest, OutlivesTheReservation) {
  Span* const span = pages().AllocateMapped({100}, {1}, "name");
  ASSERT_NE(span, nullptr);
  const PageId first = span->first_page;
  const uintptr_t address = Address(span);
  const size_t size = span->pages.bytes();
  heap().os().set_address_space_limit(256 * kMiB);
  pages().ObserveLimits();
  ASSERT_FALSE(heap().arena().reserved());
  EXPECT_TRUE(heap().os().Is(address, size, State::kReserved));
  heap().Check();
  EXPECT_EQ(pages().AllocateMapped({100}, {1}, "name"), nullptr);
  EXPECT_TRUE(pages().FreeMapped(first));
  EXPECT_TRUE(heap().os().Is(address, size, State::kNone));
  heap().Check();
}

INSTANTIATE_RESERVED_MODES(MappedSpanTest);

using UnreservedMappedSpanTest = MappedSpanTest;

TEST_P(UnreservedMappedSpanTest, HasNone) {
  EXPECT_EQ(pages().AllocateMapped({1}, {1}, "name"), nullptr);
  heap().Check();
}

INSTANTIATE_UNRESERVED_MODES(UnreservedMappedSpanTest);

}  // namespace
}  // namespace prairie
