// Pages without memory inside small spans: which go back, and what a program sees of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "allocator/central/central_list.h"
#include "tests/support/magazines.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class IdlePagesTest : public TestWithHeap {
 protected:
  std::vector<FreeObject*> FetchAll(SizeClass c, size_t count) {
    std::vector<FreeObject*> all;
    while (all.size() < count) {
      const auto some = FetchFrom(heap().central(c), static_cast<uint32_t>(count - all.size()));
      if (some.empty()) break;
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  // Of `count` objects the last stays out, and the others go home. Returns that.
  const FreeObject* LeaveOneOf(SizeClass c, size_t count) {
    auto objects = FetchAll(c, count);
    EXPECT_EQ(objects.size(), count);
    const FreeObject* const last = objects.back();
    objects.pop_back();
    EXPECT_FALSE(ReturnTo(heap().central(c), objects));
    return last;
  }
  // The whole pass; returns the spans that gave something back.
  uint32_t Release(SizeClass c, bool at_once) {
    uint32_t released = 0;
    while (!heap().central(c).ReleaseIdle(UINT32_MAX, at_once, &released)) {
    }
    return released;
  }
  PageId PageOf(const void* object) {
    return heap().arena().PageOf(reinterpret_cast<uintptr_t>(object));
  }
  Span* SpanOf(const void* object) { return heap().page_map().span_of(PageOf(object)); }
  // What an object that is out is filled with.
  static int ByteOf(const void* object) {
    return static_cast<int>(reinterpret_cast<uintptr_t>(object) >> kGranuleShift & 0xff);
  }
  // What lived kept its memory, and is free now.
  static void CheckAndMark(const std::vector<FreeObject*>& objects, size_t size) {
    for (FreeObject* object : objects) {
      const auto* const bytes = reinterpret_cast<const unsigned char*>(object);
      ASSERT_TRUE(
          std::all_of(bytes, bytes + size, [=](unsigned char b) { return b == ByteOf(object); }));
      object->SetFree(object->FreeMark(TestHeap::kMarkKey));
    }
  }
  int Discards() { return heap().os().calls(FakeMemory::Call::kDiscard); }
};

// One object in 16 KiB stays.
TEST_P(IdlePagesTest, PagesInWhichNothingLivesGoBackAndComeBack) {
  for (const size_t size : {16, 48, 512, 1040, 3072, 8704}) {
    const SizeClass c = ClassOfSize(size);
    auto objects = FetchAll(c, 256 * kKiB / size);
    std::sort(objects.begin(), objects.end());
    std::vector<FreeObject*> stay;
    std::vector<FreeObject*> go;
    for (FreeObject* object : objects) {
      const size_t offset = reinterpret_cast<uintptr_t>(object) - heap().arena().base();
      (offset / size % std::max<size_t>(16 * kKiB / size, 4) == 0 ? stay : go).push_back(object);
    }
    for (FreeObject* object : stay) memset(static_cast<void*>(object), 0x5a, size);
    ASSERT_FALSE(ReturnTo(heap().central(c), go));
    for (int look = 0; look < 8; ++look) EXPECT_EQ(Release(c, false), 0U) << "not at once";
    const int discards = Discards();
    const uint32_t released = Release(c, false);
    heap().Check();
    EXPECT_LE(released > 0, Discards() > discards);
    if (heap().os().PageSize() <= kPageSize) {
      EXPECT_GT(released, 0U) << size;
      EXPECT_EQ(Release(c, false), 0U) << "once";
    }
    for (FreeObject* object : stay) {
      const auto* const bytes = reinterpret_cast<const unsigned char*>(object);
      EXPECT_TRUE(std::all_of(bytes, bytes + size, [](unsigned char b) { return b == 0x5a; }));
    }
    auto again = FetchAll(c, go.size());
    heap().Check();
    again.insert(again.end(), stay.begin(), stay.end());
    std::sort(again.begin(), again.end());
    EXPECT_EQ(std::unique(again.begin(), again.end()), again.end());
    for (FreeObject* object : stay) object->SetFree(object->FreeMark(TestHeap::kMarkKey));
    EXPECT_FALSE(ReturnTo(heap().central(c), again));
    EXPECT_EQ(heap().central(c).allocated_count(), 0U);
    heap().Check();
  }
}

// One object in each page of 8 KiB stays: half of the page can go where OS pages are smaller.
TEST_P(IdlePagesTest, APartOfAPageGoesBackAndWhatLivesInTheRestStays) {
  if (heap().os().PageSize() >= kPageSize) GTEST_SKIP() << "no OS page is smaller than a page";
  const SizeClass c = ClassOfSize(512);
  auto objects = FetchAll(c, 512);
  std::sort(objects.begin(), objects.end());
  std::vector<FreeObject*> stay;
  std::vector<FreeObject*> go;
  for (FreeObject* object : objects) {
    const bool first = reinterpret_cast<uintptr_t>(object) % kPageSize == 0;
    (first ? stay : go).push_back(object);
  }
  for (FreeObject* object : stay) memset(static_cast<void*>(object), 0x5a, 512);
  ASSERT_FALSE(ReturnTo(heap().central(c), go));
  ASSERT_GT(Release(c, true), 0U);
  heap().Check();
  uint32_t without_memory = 0;
  for (const FreeObject* object : go) {
    const bool second_half = reinterpret_cast<uintptr_t>(object) % kPageSize >= kPageSize / 2;
    if (heap().page_map().class_of(PageOf(object)) == 0 && second_half) {
      ++without_memory;
      EXPECT_EQ(object->mark, 0U) << "still has its memory";
    }
    EXPECT_FALSE(heap().central(c).IsAllocated(object));
  }
  EXPECT_GT(without_memory, go.size() / 4);
  for (const FreeObject* object : stay) {
    EXPECT_TRUE(heap().central(c).IsAllocated(object));
    const auto* const bytes = reinterpret_cast<const unsigned char*>(object);
    EXPECT_TRUE(std::all_of(bytes, bytes + 512, [](unsigned char b) { return b == 0x5a; }));
  }
  // Handing out marks the free ones only.
  for (const FreeObject* object : FetchAll(c, go.size())) {
    EXPECT_TRUE(object->IsIntact(TestHeap::kMarkKey));
  }
  for (const FreeObject* object : stay) {
    EXPECT_EQ(object->self, static_cast<uintptr_t>(0x5a5a5a5a5a5a5a5aU));
    EXPECT_NE(heap().page_map().class_of(PageOf(object)), 0);
  }
  heap().Check();
}

// A span that was used before, and of which the end was not carved this time.
TEST_P(IdlePagesTest, WhatWasNotCarvedGoesBackToo) {
  const SizeClass c = ClassOfSize(256);
  auto objects = FetchAll(c, 4096);
  for (FreeObject* object : objects) memset(static_cast<void*>(object), 0x5a, 256);
  ASSERT_FALSE(ReturnTo(heap().central(c), objects));
  uintptr_t from = 0;
  uintptr_t end = 0;
  for (size_t count = 1; from == end && count < 2048; ++count) {
    const Span* const span = SpanOf(FetchAll(c, 1).back());
    const uintptr_t begin = heap().arena().AddressOf(span->first_page);
    from = RoundUp(begin + span->first_slot + span->carved * 256, heap().os().PageSize());
    end = begin + span->pages.bytes();
  }
  if (from == end) GTEST_SKIP() << "no span is longer than an OS page";
  memset(reinterpret_cast<void*>(from), 0x5a, end - from);
  Release(c, true);
  EXPECT_EQ(*reinterpret_cast<const uint64_t*>(from), 0U);
  EXPECT_EQ(*reinterpret_cast<const uint64_t*>(end - 8), 0U);
  heap().Check();
  FetchAll(c, 4096);
  heap().Check();
}

TEST_P(IdlePagesTest, WhatIsUsedStays) {
  const SizeClass c = ClassOfSize(64);
  auto objects = FetchAll(c, 1024);
  std::vector<FreeObject*> go(objects.begin() + 1, objects.end());
  ASSERT_FALSE(ReturnTo(heap().central(c), go));
  for (int look = 0; look < 20; ++look) {
    EXPECT_EQ(Release(c, false), 0U);
    // One more goes out at each look.
    for (Span* span = nullptr; const auto* object : FetchAll(c, 1)) {
      span = SpanOf(object);
      EXPECT_EQ(span->idle.released, 0U);
    }
    if (SpanOf(objects[0])->pages.bytes() < 1024 * 64) break;  // Several spans: not all are used.
  }
}

TEST_P(IdlePagesTest, AtOnceMeansWithoutASecondLook) {
  if (heap().os().PageSize() > kPageSize) GTEST_SKIP() << "less than an OS page may be free";
  const SizeClass c = ClassOfSize(1024);
  const FreeObject* const last = LeaveOneOf(c, 512);  // The first spans are small ones.
  EXPECT_EQ(Release(c, true), 1U);
  EXPECT_GT(SpanOf(last)->idle.released, 0U);
  heap().Check();
}

TEST_P(IdlePagesTest, WhenTheSystemRefusesNothingChanges) {
  const SizeClass c = ClassOfSize(1024);
  const FreeObject* const last = LeaveOneOf(c, 512);
  heap().os().FailFromNth(1, FakeMemory::Call::kDiscard);
  EXPECT_EQ(Release(c, true), 0U);
  heap().os().Heal();
  EXPECT_EQ(SpanOf(last)->idle.released, 0U);
  heap().Check();
}

// As where the program has locked a page between others, and freed what lay there.
TEST_P(IdlePagesTest, WhenAPartHasGoneAndTheSystemRefusesTheRestNothingIsSeenOfIt) {
  const SizeClass c = ClassOfSize(1024);
  const FreeObject* const last = LeaveOneOf(c, 512);
  heap().os().set_discards_in_part(true);
  heap().os().FailFromNth(1, FakeMemory::Call::kDiscard);
  EXPECT_EQ(Release(c, true), 0U);
  heap().os().Heal();
  EXPECT_EQ(SpanOf(last)->idle.released, 0U);
  heap().Check();
  for (const FreeObject* object : FetchAll(c, 511)) {
    EXPECT_TRUE(object->IsIntact(TestHeap::kMarkKey));
  }
  heap().Check();
}

TEST_P(IdlePagesTest, ASecondFreeThereIsFound) {
  if (heap().os().PageSize() > kPageSize) GTEST_SKIP() << "less than an OS page may be free";
  const SizeClass c = ClassOfSize(1024);
  auto objects = FetchAll(c, 512);
  std::sort(objects.begin(), objects.end());
  std::vector<FreeObject*> go(objects.begin(), objects.end() - 1);
  ASSERT_FALSE(ReturnTo(heap().central(c), go));
  ASSERT_GT(Release(c, true), 0U);
  FreeObject* const gone = *std::find_if(go.begin(), go.end(), [&](FreeObject* object) {
    return heap().page_map().class_of(PageOf(object)) == 0 && SpanOf(object)->idle.released > 0;
  });
  const ListFault fault = heap().central(c).Return(&gone, 1);
  EXPECT_TRUE(fault);
  EXPECT_FALSE(heap().central(c).IsAllocated(gone));
  heap().Check();
}

// What comes and goes at random, with looks in between.
TEST_P(IdlePagesTest, AnyOrderOfEventsKeepsTheInvariants) {
  std::mt19937 random(5);
  for (const size_t size : {16, 80, 240, 1040, 4480}) {
    const SizeClass c = ClassOfSize(size);
    std::vector<FreeObject*> out;
    for (int step = 0; step < 300; ++step) {
      if (random() % 3 == 0 || out.empty()) {
        const auto more = FetchAll(c, random() % 200 + 1);
        for (FreeObject* object : more) {
          ASSERT_TRUE(object->IsIntact(TestHeap::kMarkKey));
          memset(static_cast<void*>(object), ByteOf(object), size);
        }
        out.insert(out.end(), more.begin(), more.end());
      } else {
        std::shuffle(out.begin(), out.end(), random);
        const size_t count = std::min<size_t>(out.size(), random() % 250 + 1);
        const std::vector<FreeObject*> back(out.end() - static_cast<ptrdiff_t>(count), out.end());
        out.resize(out.size() - count);
        CheckAndMark(back, size);
        ASSERT_FALSE(ReturnTo(heap().central(c), back));
      }
      if (random() % 4 == 0) {
        uint32_t released = 0;
        heap().central(c).ReleaseIdle(random() % 4, random() % 2 == 0, &released);
        heap().os().set_discards_in_part(random() % 2 == 0);
        heap().os().FailNth(static_cast<int>(random() % 3 + 1), FakeMemory::Call::kDiscard);
      }
      if (step % 20 == 0) heap().Check();
      if (HasFailure()) return;
    }
    CheckAndMark(out, size);
    ASSERT_FALSE(ReturnTo(heap().central(c), out));
    EXPECT_EQ(heap().central(c).allocated_count(), 0U);
    heap().Check();
  }
}

INSTANTIATE_HEAP_MODES(IdlePagesTest);

}  // namespace
}  // namespace prairie
