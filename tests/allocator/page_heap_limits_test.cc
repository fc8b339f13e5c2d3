// The page heap under limits, and with the mappings of others in the way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "allocator/page_heap/page_heap.h"
#include "tests/support/kept_spans.h"
#include "tests/support/needs.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;
using State = FakeMemory::State;

class PageHeapLimitsTest : public TestWithHeap {
 protected:
  PageHeap& pages() { return heap().page_heap(); }
  Span* Large(size_t bytes) { return pages().Allocate(PagesFor(bytes), {1}, SpanKind::kLarge); }
  void Fill(KeptSpans& kept, size_t bytes) {
    while (kept.Keep(Large(bytes))) ASSERT_LT(kept.size(), 4000U);
  }
  void ExpectSound(const KeptSpans& kept) {
    EXPECT_TRUE(kept.AreIntact());
    heap().Check();
  }
};

TEST_P(PageHeapLimitsTest, ADataLimitIsReachedAndLeftAgain) {
  const size_t limit = 64 * kMiB;
  heap().os().set_data_limit(limit);
  for (int round = 0; round < 3; ++round) {
    KeptSpans kept(heap());
    Fill(kept, 300 * kKiB);
    EXPECT_GE(pages().stats().large_bytes, limit / 100 * 90) << "round " << round;
    ExpectSound(kept);
    kept.FreeAll();
    heap().Check();
  }
}

TEST_P(PageHeapLimitsTest, ALimitLoweredBelowWhatIsUsedLeavesWhatIsThere) {
  KeptSpans kept(heap());
  ASSERT_TRUE(kept.Keep(Large(3 * kMiB)));
  Span* const other = Large(3 * kMiB);
  heap().os().set_address_space_limit(kMiB);
  heap().os().set_data_limit(kMiB);
  EXPECT_EQ(Large(100 * kMiB), nullptr);
  ExpectSound(kept);
  pages().Free(other);
  EXPECT_TRUE(kept.Keep(Large(100 * kKiB))) << "from what it has";
  ExpectSound(kept);
}

TEST_P(PageHeapLimitsTest, TheSystemIsAskedOnlyAboutVeryMuchAtOneTime) {
  heap().os().set_largest_grant(4096);
  EXPECT_TRUE(pages().MayGrant(kGiB));
  EXPECT_FALSE(pages().MayGrant(kGiB + 1));
  heap().os().set_largest_grant(kGiB + 1);
  EXPECT_TRUE(pages().MayGrant(kGiB + 1));
}

// However much it is that cannot be had.
TEST_P(PageHeapLimitsTest, ARefusalLeavesNothingBehind) {
  const size_t limit = 64 * kMiB;
  heap().os().set_data_limit(limit);
  KeptSpans kept(heap());
  ASSERT_TRUE(kept.Keep(Large(kMiB)));
  // Behind it free pages up to the frontier, without access.
  pages().Free(Large(5 * kMiB));
  pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
  const size_t committed = heap().CommittedBytes(), extent = heap().extent();
  const size_t reserved = heap().os().BytesIn(State::kReserved);
  const size_t half = heap().arena().window() / 2;
  for (const size_t bytes : {limit, half}) {
    EXPECT_EQ(Large(bytes), nullptr);
    EXPECT_EQ(pages().Allocate(PagesFor(bytes), PagesFor(3 * kMiB), SpanKind::kLarge), nullptr);
    EXPECT_FALSE(pages().GrowInPlace(kept[0], PagesFor(bytes)));
    EXPECT_EQ(heap().CommittedBytes(), committed) << bytes;
    EXPECT_EQ(heap().extent(), extent) << bytes;
    EXPECT_EQ(heap().os().BytesIn(State::kReserved), reserved) << bytes;
  }
  Fill(kept, kMiB);
  EXPECT_GE(pages().stats().large_bytes, limit / 100 * 90);
  ExpectSound(kept);
}

// The system may give huge pages to everyone.
TEST_P(PageHeapLimitsTest, HugePagesAreKeptAwayWhereTheyAreNotWanted) {
  std::vector<int> mappings;
  for (const HugePages mode : {HugePages::kAuto, HugePages::kNever}) {
    TestHeapConfig config = GetParam();
    config.huge_pages = mode;
    NewHeap(config);
    const bool avoids = mode == HugePages::kNever;
    std::vector<Span*> spans;
    for (const size_t bytes : {kPageSize, 3 * kMiB, 200 * kKiB, 20 * kMiB, kPageSize, kMiB}) {
      spans.push_back(Large(bytes));
    }
    const auto all_avoid = [&](const Span* span) {
      return heap().os().AvoidsHugePages(heap().arena().AddressOf(span->first_page),
                                         span->pages.bytes());
    };
    for (const Span* span : spans) EXPECT_EQ(all_avoid(span), avoids);
    spans[5] = pages().Move(spans[5], PagesFor(30 * kMiB));
    ASSERT_NE(spans[5], nullptr);
    // Where it moves from and to, and what is freed in between and given back, all must agree
    // again.
    pages().Free(spans[5]);
    pages().Free(spans[1]);
    pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
    spans[1] = Large(3 * kMiB);
    spans[5] = Large(30 * kMiB);
    EXPECT_EQ(all_avoid(spans[1]), avoids);
    EXPECT_EQ(all_avoid(spans[5]), avoids);
    heap().Check();
    mappings.push_back(heap().os().Mappings());
  }
  // What was given back at the frontier differs from what was never used.
  EXPECT_LE(mappings[1], mappings[0] + 1) << "and no mapping is split for it";
}

INSTANTIATE_HEAP_MODES(PageHeapLimitsTest);

// A limit of address space that comes when the arena is reserved already.
class LeavingReservedModeTest : public PageHeapLimitsTest {
 protected:
  void SetUp() override {
    PageHeapLimitsTest::SetUp();
    if (IsSkipped()) return;
    // In use below, between and at the end of what is free.
    Span* spans[6];
    for (Span*& span : spans) ASSERT_NE(span = Large(3 * kMiB), nullptr);
    for (int i = 0; i < 6; i += 2) pages().Free(spans[i]);
    pages().ReleaseFree({UINT32_MAX}, Release::kCharge);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(kept().Keep(Large(400 * kKiB)));
    for (int i = 1; i < 6; i += 2) in_use_.push_back(spans[i]);
  }
  void TearDown() override {
    if (!IsSkipped()) {
      kept().FreeAll();
      for (Span* span : in_use_) pages().Free(span);
      heap().Check();
    }
    kept_.reset();
  }
  KeptSpans& kept() {
    if (!kept_) kept_ = std::make_unique<KeptSpans>(heap());
    return *kept_;
  }
  size_t Reserved() { return heap().os().BytesIn(State::kReserved); }

 private:
  std::unique_ptr<KeptSpans> kept_;
  std::vector<Span*> in_use_;
};

TEST_P(LeavingReservedModeTest, NothingStaysReserved) {
  EXPECT_GE(Reserved(), kInitialReservation - kGiB);
  heap().os().set_address_space_limit(256 * kMiB);
  pages().ObserveLimits();
  EXPECT_FALSE(heap().arena().reserved());
  EXPECT_EQ(Reserved(), 0U);
  ExpectSound(kept());
  EXPECT_LE(heap().CommittedBytes(), 14 * kMiB);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(kept().Keep(Large(2 * kMiB)));
  Fill(kept(), kMiB);
  EXPECT_GE(heap().CommittedBytes(), 250 * kMiB);
  ExpectSound(kept());
}

TEST_P(LeavingReservedModeTest, ThePageHeapNoticesByItself) {
  heap().os().set_address_space_limit(256 * kMiB);
  ASSERT_TRUE(kept().Keep(Large(20 * kMiB))) << "grows the heap";
  EXPECT_FALSE(heap().arena().reserved());
  EXPECT_EQ(Reserved(), 0U);
  ExpectSound(kept());
}

TEST_P(LeavingReservedModeTest, ALimitThatLeavesRoomChangesNothing) {
  heap().os().set_address_space_limit(ByAddressWidth(kTiB, kGiB));
  pages().ObserveLimits();
  EXPECT_TRUE(heap().arena().reserved());
  EXPECT_GE(Reserved(), kInitialReservation - kGiB);
}

TEST_P(LeavingReservedModeTest, WhatTheSystemRefusesToUnmapIsNotLost) {
  heap().os().set_address_space_limit(256 * kMiB);
  heap().os().FailNth(1, Call::kUnmap);
  pages().ObserveLimits();
  EXPECT_TRUE(heap().arena().reserved());
  ExpectSound(kept());
  pages().ObserveLimits();
  EXPECT_FALSE(heap().arena().reserved());
  ExpectSound(kept());
}

TEST_P(LeavingReservedModeTest, AHoleThatCannotBeUnmappedIsGivenUp) {
  heap().os().set_address_space_limit(256 * kMiB);
  // What is left first is the arena's, and the arrays'.
  heap().os().FailNth(GetParam().anywhere ? 9 : 2, Call::kUnmap);
  pages().ObserveLimits();
  EXPECT_FALSE(heap().arena().reserved());
  EXPECT_GT(Reserved(), 0U);
  EXPECT_LE(Reserved(), 6 * kMiB);
  Fill(kept(), 200 * kKiB);
  ExpectSound(kept());
}

// What is unmapped is another's the next moment.
TEST_P(LeavingReservedModeTest, WhatWasFreedLastIsUnmappedOnce) {
  pages().Free(Large(2 * kMiB));
  pages().Free(Large(kMiB));
  heap().os().set_address_space_limit(256 * kMiB);
  pages().ObserveLimits();
  EXPECT_FALSE(heap().arena().reserved());
  EXPECT_EQ(Reserved(), 0U);
  ExpectSound(kept());
}

TEST_P(LeavingReservedModeTest, CachesAreSmallWhileTheLimitIs) {
  EXPECT_FALSE(pages().frugal());
  heap().os().set_address_space_limit(256 * kMiB);
  pages().ObserveLimits();
  EXPECT_TRUE(pages().frugal());
  heap().os().set_address_space_limit(64 * kGiB);
  pages().ObserveLimits();
  EXPECT_FALSE(pages().frugal());
  EXPECT_FALSE(heap().arena().reserved()) << "it stays in the unreserved mode";
}

INSTANTIATE_RESERVED_MODES(LeavingReservedModeTest);

// There the claims of the arrays are reserved too.
INSTANTIATE_TEST_SUITE_P(Anywhere, LeavingReservedModeTest,
                         testing::Values(TestHeapConfig{.anywhere = true},
                                         TestHeapConfig{.os_page_size = 16 * kKiB,
                                                        .anywhere = true}),
                         NameOfMode);

// Where address space is limited, or others may map within the arena.
class UnreservedPageHeapTest : public PageHeapLimitsTest {};

TEST_P(UnreservedPageHeapTest, AnAddressSpaceLimitIsReachedAndLeftAgain) {
  const size_t limit = 64 * kMiB, others = 5 * kMiB;
  TestHeapConfig config = GetParam();
  config.address_space_limit = limit;
  NewHeap(config);
  heap().os().set_address_space_in_use(others);
  for (const size_t size : {300 * kKiB, 64 * kKiB, 5 * kMiB, 300 * kKiB}) {
    KeptSpans kept(heap());
    Fill(kept, size);
    EXPECT_GE(pages().stats().large_bytes + others, limit / 100 * 85) << "objects of " << size;
    ExpectSound(kept);
    kept.FreeAll();
    heap().Check();
    // And others can have it.
    pages().ReleaseFree({UINT32_MAX});
    EXPECT_LE(heap().CommittedBytes(), 2 * kMiB);
  }
}

TEST_P(UnreservedPageHeapTest, ForeignPagesAreSteppedOver) {
  const size_t os_page = GetParam().os_page_size, unit = std::max(os_page, kPageSize);
  const uintptr_t base = heap().arena().base();
  size_t holes = 0;
  // The very first page, several in a row, every other one, and some far off.
  for (const size_t at : {size_t{0}, 8 * unit, 9 * unit, 10 * unit, 20 * unit, 22 * unit, 24 * unit,
                          5 * kMiB, 40 * kMiB}) {
    heap().os().PutForeign(base + at, os_page);
    ++holes;
  }
  KeptSpans kept(heap());
  for (const size_t bytes :
       {kPageSize, 100 * kKiB, 3 * kMiB, kPageSize, kMiB, 50 * kMiB, 200 * kKiB, 10 * kMiB}) {
    ASSERT_TRUE(kept.Keep(Large(bytes))) << bytes;
  }
  ExpectSound(kept);
  EXPECT_EQ(pages().stats().foreign_bytes, holes * unit);
  kept.FreeAll();
  pages().ReleaseFree({UINT32_MAX});
  heap().Check();
  EXPECT_EQ(heap().os().BytesIn(State::kForeign), holes * os_page + 64 * kKiB) << "untouched";
}

// Others may also come where the heap has been and left.
TEST_P(UnreservedPageHeapTest, AForeignPageWhereTheHeapWasBefore) {
  Span* const span = Large(10 * kMiB);
  const uintptr_t address = heap().arena().AddressOf(span->first_page);
  pages().Free(span);
  pages().ReleaseFree({UINT32_MAX});
  heap().os().PutForeign(address + kMiB, 64 * kKiB);
  KeptSpans kept(heap());
  EXPECT_TRUE(kept.Keep(Large(10 * kMiB)));
  EXPECT_TRUE(kept.Keep(Large(512 * kKiB)));
  ExpectSound(kept);
  EXPECT_EQ(pages().stats().foreign_bytes, 64 * kKiB);
}

TEST_P(UnreservedPageHeapTest, AForeignPageInTheWayOfGrowingInPlace) {
  KeptSpans kept(heap());
  ASSERT_TRUE(kept.Keep(Large(kMiB)));
  heap().os().PutForeign(heap().arena().AddressOf(kept[0]->first_page) + 4 * kMiB, 64 * kKiB);
  EXPECT_FALSE(pages().GrowInPlace(kept[0], PagesFor(6 * kMiB)));
  EXPECT_EQ(kept[0]->pages, PagesFor(kMiB)) << "nothing changed";
  ExpectSound(kept);
  EXPECT_TRUE(pages().GrowInPlace(kept[0], PagesFor(4 * kMiB)));
  kept.Fill(0);
  ExpectSound(kept);
}

// Others reserve gigabytes. Going through them page by page would take minutes for a TiB.
TEST_P(UnreservedPageHeapTest, ALargeForeignRangeIsSteppedOverInFewCalls) {
  heap().os().PutForeign(heap().arena().base(), 256 * kMiB);
  ASSERT_NE(Large(kPageSize), nullptr);
  heap().Check();
  EXPECT_LT(heap().os().calls(), 2000);
}

// The system says that a page is taken before it says that there is no memory.
TEST_P(UnreservedPageHeapTest, ARefusalWithAForeignPageInTheWayLeavesNothingBehind) {
  KeptSpans kept(heap());
  ASSERT_TRUE(kept.Keep(Large(kMiB)));
  heap().os().PutForeign(heap().arena().base() + 40 * kMiB, 64 * kKiB);
  heap().os().set_data_limit(64 * kMiB);
  const size_t committed = heap().CommittedBytes(), extent = heap().extent();
  EXPECT_EQ(Large(kGiB), nullptr);
  EXPECT_EQ(heap().CommittedBytes(), committed);
  EXPECT_EQ(heap().extent(), extent);
  EXPECT_TRUE(kept.Keep(Large(50 * kMiB))) << "behind it";
  ExpectSound(kept);
}

INSTANTIATE_UNRESERVED_MODES(UnreservedPageHeapTest);

class ReservedPageHeapTest : public PageHeapLimitsTest {};

// Else the huge page that an alignment begins in the middle of would be made of small ones.
TEST_P(ReservedPageHeapTest, WhatAnAlignmentSkipsIsCommittedWithTheRest) {
  ASSERT_NE(Large(kPageSize), nullptr);
  const size_t step = pages().stats().committed_bytes;
  ASSERT_NE(Large(step - kPageSize), nullptr);
  Span* const aligned = pages().Allocate(PagesFor(kMiB), PagesFor(kMiB / 2 * 3), SpanKind::kSmall);
  ASSERT_NE(aligned, nullptr);
  ASSERT_NE(aligned->first_page.offset() % step, 0U);
  EXPECT_EQ(pages().stats().committed_bytes, 2 * step);
  heap().Check();
}

TEST_P(ReservedPageHeapTest, ArraysThatCannotAllBeHadLeaveNothingBehind) {
  ASSERT_NE(Large(kPageSize), nullptr);
  const size_t committed = heap().CommittedBytes(), extent = heap().extent();
  const size_t reserved = heap().os().BytesIn(State::kReserved);
  int n = 0;
  do {
    ASSERT_LT(n, 10);
    heap().os().FailFromNth(++n, Call::kMapAt);
    if (Span* const span = pages().AllocateMapped(PagesFor(4 * kGiB), {1}, "name")) {
      EXPECT_TRUE(pages().FreeMapped(span->first_page));
      break;
    }
    EXPECT_EQ(heap().CommittedBytes(), committed) << "call " << n;
    EXPECT_EQ(heap().extent(), extent);
    EXPECT_EQ(heap().os().BytesIn(State::kReserved), reserved);
    heap().Check();
  } while (!HasFailure());
  EXPECT_GE(n, 4) << "three arrays";
}

TEST_P(ReservedPageHeapTest, StepsGrowWithTheHeap) {
  PRAIRIE_NEEDS_MEMORY(2048, "a heap of 1 GiB, not touched");
  for (int i = 0; i < 1024; ++i) ASSERT_NE(Large(kMiB), nullptr);
  EXPECT_LT(heap().os().calls(Call::kCommit), 400) << "with those for the arrays";
  EXPECT_LT(pages().stats().committed_bytes, kGiB + kGiB / 16);
  heap().Check();
}

INSTANTIATE_RESERVED_MODES(ReservedPageHeapTest);

constexpr const char* kReservation = "a reservation full of heap, not touched";

// Fills the first reservation, without touching it, to see what lies behind.
TEST(EndOfReservationTest, AForeignMappingThereIsSteppedOver) {
  PRAIRIE_NEEDS_MEMORY(8 * 1024, kReservation);
  PRAIRIE_NEEDS_OVERCOMMIT(kReservation);
  TestHeap heap;
  if (!heap.arena().reserved() || heap.arena().window() <= kInitialReservation) {
    GTEST_SKIP() << "in this process nothing lies behind the first reservation";
  }
  const uintptr_t end = heap.arena().base() + kInitialReservation;
  heap.os().PutForeign(end, kGiB);  // Another runtime's heap, say.
  PageHeap& pages = heap.page_heap();
  const size_t most = kInitialReservation - 4 * kMiB;
  ASSERT_NE(pages.Allocate(PagesFor(most), {1}, SpanKind::kLarge), nullptr);
  Span* const span = pages.Allocate(PagesFor(16 * kMiB), {1}, SpanKind::kLarge);
  ASSERT_NE(span, nullptr) << "though there is nearly a TiB behind it";
  EXPECT_GE(heap.arena().AddressOf(span->first_page), end + kGiB);
  EXPECT_GE(pages.stats().foreign_bytes, kGiB);
  memset(heap.Memory(span), 1, span->pages.bytes());
  pages.CheckInvariants();
}

TEST(EndOfReservationTest, TheReservationGrowsAndTheHeapWithIt) {
  PRAIRIE_NEEDS_MEMORY(8 * 1024, kReservation);
  PRAIRIE_NEEDS_OVERCOMMIT(kReservation);
  TestHeap heap;
  if (!heap.arena().reserved() || heap.arena().window() <= kInitialReservation) {
    GTEST_SKIP() << "in this process nothing lies behind the first reservation";
  }
  PageHeap& pages = heap.page_heap();
  const size_t most = kInitialReservation - 4 * kMiB;
  ASSERT_NE(pages.Allocate(PagesFor(most), {1}, SpanKind::kLarge), nullptr);
  Span* const span = pages.Allocate(PagesFor(16 * kMiB), {1}, SpanKind::kLarge);
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(heap.arena().reservation(), 2 * kInitialReservation);
  EXPECT_LT(heap.arena().AddressOf(span->first_page), heap.arena().base() + kInitialReservation)
      << "across the old end";
  memset(heap.Memory(span), 1, span->pages.bytes());
  pages.CheckInvariants();
}

}  // namespace
}  // namespace prairie
