// Central lists: what they hand out and take back, and the faults that they notice.
#include "allocator/central/central_list.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/magazines.h"
#include "tests/support/needs.h"
#include "tests/support/sanitizers.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class CentralListTest : public TestWithHeap {
 protected:
  std::vector<FreeObject*> Fetch(SizeClass c, uint32_t most) {
    return FetchFrom(heap().central(c), most);
  }
  // Until there are `count`.
  std::vector<FreeObject*> FetchAll(SizeClass c, size_t count) {
    std::vector<FreeObject*> all;
    while (all.size() < count) {
      const auto some = Fetch(c, static_cast<uint32_t>(count - all.size()));
      EXPECT_FALSE(some.empty());
      if (some.empty()) break;
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  void ReturnWell(SizeClass c, const std::vector<FreeObject*>& objects) {
    EXPECT_FALSE(ReturnTo(heap().central(c), objects));
  }
  size_t SmallBytes() { return heap().page_heap().stats().small_bytes; }
  static long MinorFaults() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  }
};

// A read of fresh memory before the write would be a second fault.
TEST_P(CentralListTest, FreshObjectsFaultOncePerPage) {
  if (kAddressSanitizer || kThreadSanitizer) {
    GTEST_SKIP() << "the sanitizer's shadow and its quarantine are faulted in, too";
  }
  constexpr size_t kBytes = 8 * kMiB;
  TestHeapConfig config = GetParam();
  config.huge_pages = HugePages::kNever;
  NewHeap(config);
  const SizeClass c = ClassOfSize(kKiB);
  const long before = MinorFaults();
  const auto objects = FetchAll(c, kBytes / kKiB);
  const long pages = static_cast<long>(kBytes / static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_LT(MinorFaults() - before, pages * 3 / 2);
  ReturnWell(c, objects);
}

// Of large objects a page of allocated bits serves a few: were it read first, each would cost two.
TEST_P(CentralListTest, PagesOfBitsFaultOnce) {
  if (kAddressSanitizer || kThreadSanitizer) {
    GTEST_SKIP() << "the sanitizer's shadow and its quarantine are faulted in, too";
  }
  PRAIRIE_NEEDS_MEMORY(192, "a heap of 64 MiB");
  TestHeapConfig config = GetParam();
  config.huge_pages = HugePages::kNever;
  NewHeap(config);
  constexpr size_t kObjects = 2048;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const long bits = static_cast<long>(kObjects * kMaxSmallSize / (page * 8 * kGranuleSize));
  const SizeClass c = kSizeClassCount - 1;
  const long before = MinorFaults();
  const auto objects = FetchAll(c, kObjects);
  // One for each object, and what describes their pages.
  EXPECT_LT(MinorFaults() - before, static_cast<long>(kObjects) + bits * 7 / 4);
  ReturnWell(c, objects);
}

TEST_P(CentralListTest, ObjectsOfEveryClassAreSlotsInAddressOrder) {
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    const size_t size = kSizeClasses[c].size;
    const auto objects = Fetch(c, 8);
    ASSERT_GE(objects.size(), 1U);
    ASSERT_LE(objects.size(), 8U);
    EXPECT_EQ(heap().central(c).allocated_count(), objects.size());
    FreeObject* previous = nullptr;
    for (FreeObject* object : objects) {
      const uintptr_t offset = reinterpret_cast<uintptr_t>(object) - heap().arena().base();
      EXPECT_EQ(offset % size, 0U);
      EXPECT_TRUE(heap().central(c).IsAllocated(object));
      EXPECT_FALSE(heap().central(c).IsAllocated(reinterpret_cast<char*>(object) + 8));
      const PageId first = heap().arena().PageOf(reinterpret_cast<uintptr_t>(object));
      const PageId last = heap().arena().PageOf(reinterpret_cast<uintptr_t>(object) + size - 1);
      EXPECT_EQ(heap().page_map().class_of(first), c);
      EXPECT_EQ(heap().SpanAt(first), heap().SpanAt(last));
      EXPECT_GT(object, previous);
      previous = object;
    }
    ReturnWell(c, objects);
    EXPECT_EQ(heap().central(c).allocated_count(), 0U);
  }
  EXPECT_EQ(SmallBytes(), 0U) << "empty spans go back";
  heap().Check();
}

TEST_P(CentralListTest, ObjectsDoNotOverlap) {
  for (const size_t size : {16, 48, 112, 320, 512, 1152, 4096, 10240, 32768}) {
    const SizeClass c = ClassOfSize(size);
    auto objects = FetchAll(c, 3 * kSizeClasses[c].span_pages.bytes() / size);
    std::sort(objects.begin(), objects.end());
    for (size_t i = 1; i < objects.size(); ++i) {
      ASSERT_GE(reinterpret_cast<char*>(objects[i]) - reinterpret_cast<char*>(objects[i - 1]),
                static_cast<ptrdiff_t>(size));
    }
    heap().Check();
    ReturnWell(c, objects);
  }
  EXPECT_EQ(SmallBytes(), 0U);
}

TEST_P(CentralListTest, SpansGrowWithWhatIsOut) {
  const SizeClass c = ClassOfSize(1152);
  const SizeClassInfo& info = kSizeClasses[c];
  const PageCount unit = PagesFor(heap().os().PageSize());
  std::vector<FreeObject*> all = Fetch(c, 1);
  const auto last_span = [&] {
    return heap().SpanAt(heap().arena().PageOf(reinterpret_cast<uintptr_t>(all.back())));
  };
  EXPECT_EQ(last_span()->pages, std::max(info.least_pages, unit));
  PageCount longest = last_span()->pages;
  while (SmallBytes() < 16 * info.span_pages.bytes()) {
    const auto more = Fetch(c, info.max_cached);
    ASSERT_FALSE(more.empty());
    all.insert(all.end(), more.begin(), more.end());
    EXPECT_LE(longest, last_span()->pages);
    longest = last_span()->pages;
  }
  EXPECT_EQ(longest.bytes(), RoundUp(info.span_pages.bytes(), heap().os().PageSize()));
  ReturnWell(c, all);
  EXPECT_EQ(SmallBytes(), 0U);
}

TEST_P(CentralListTest, WhereALongSpanDoesNotFitAShortOneDoes) {
  const SizeClass c = ClassOfSize(32 * kKiB);
  const SizeClassInfo& info = kSizeClasses[c];
  auto objects = FetchAll(c, 4 * info.span_pages.bytes() / info.size);
  // No more pages but those of one hole.
  Span* const hole = heap().page_heap().Allocate(info.least_pages, {1}, SpanKind::kLarge);
  Span* const wall = heap().page_heap().Allocate({1}, {1}, SpanKind::kLarge);
  ASSERT_TRUE(hole != nullptr && wall != nullptr);
  heap().os().FailFromNth(1);
  std::vector<Span*> rest;
  while (Span* const span = heap().page_heap().Allocate({1}, {1}, SpanKind::kLarge)) {
    rest.push_back(span);
  }
  heap().page_heap().Free(hole);
  const auto more = Fetch(c, 1);
  EXPECT_EQ(more.size(), 1U);
  heap().os().Heal();
  objects.insert(objects.end(), more.begin(), more.end());
  ReturnWell(c, objects);
  for (Span* span : rest) heap().page_heap().Free(span);
  heap().page_heap().Free(wall);
  heap().Check();
}

TEST_P(CentralListTest, WhatComesBackGoesOutAgainLowestFirst) {
  const SizeClass c = ClassOfSize(64);
  const auto objects = FetchAll(c, 100);
  const std::vector<FreeObject*> back = {objects[70], objects[3], objects[50], objects[4]};
  ReturnWell(c, back);
  EXPECT_EQ(heap().central(c).allocated_count(), 96U);
  for (FreeObject* object : back) EXPECT_FALSE(heap().central(c).IsAllocated(object));
  heap().Check();
  EXPECT_EQ(Fetch(c, 3), (std::vector<FreeObject*>{objects[3], objects[4], objects[50]}));
  EXPECT_EQ(Fetch(c, 1), (std::vector<FreeObject*>{objects[70]}));
  heap().Check();
}

TEST_P(CentralListTest, MemoryThatNobodyAskedForIsNotTouched) {
  constexpr size_t kSize = 64;
  const auto objects = Fetch(ClassOfSize(kSize), 2);
  ASSERT_EQ(objects.size(), 2U);
  const char* const behind = reinterpret_cast<const char*>(objects[1]) + kSize;
  // But for the mark that shows that there is no object.
  EXPECT_TRUE(reinterpret_cast<const FreeObject*>(behind)->IsIntact(TestHeap::kMarkKey));
  for (size_t i = sizeof(FreeObject); i < 20 * kSize; ++i) ASSERT_EQ(behind[i], 0) << i;
}

TEST_P(CentralListTest, ASecondReturnIsADoubleFree) {
  const SizeClass c = ClassOfSize(96);
  const auto objects = FetchAll(c, 10);
  ReturnWell(c, {objects[2]});
  const ListFault fault = ReturnTo(heap().central(c), {objects[1], objects[2], objects[3]});
  EXPECT_TRUE(fault);
  EXPECT_EQ(fault.object, objects[2]);
  heap().Check();
}

TEST_P(CentralListTest, WhatFollowsADoubleFreeIsTakenBack) {
  const SizeClass c = ClassOfSize(96);
  const auto objects = FetchAll(c, 10);
  ReturnWell(c, {objects[2]});
  ReturnTo(heap().central(c), {objects[1], objects[2], objects[3]});
  EXPECT_EQ(heap().central(c).allocated_count(), 7U);
  EXPECT_FALSE(heap().central(c).IsAllocated(objects[3]));
  heap().Check();
}

TEST_P(CentralListTest, ADoubleFreeInASpanThatIsGoneTouchesNothing) {
  const SizeClass c = ClassOfSize(96);
  const auto objects = FetchAll(c, 10);
  ReturnWell(c, objects);
  ASSERT_EQ(SmallBytes(), 0U);
  heap().page_heap().ReleaseFree({UINT32_MAX}, Release::kCharge);
  const ListFault fault = heap().central(c).Return(objects.data(), 3);
  EXPECT_TRUE(fault);
  EXPECT_EQ(fault.object, objects[0]);
  heap().Check();
}

// Whoever hands it out sees that: see ThreadCacheTest.WhatWasWrittenToIsNotHandedOut.
TEST_P(CentralListTest, WhatWasWrittenToIsTakenBackAndHandedOnAsItIs) {
  const SizeClass c = ClassOfSize(128);
  const auto objects = FetchAll(c, 10);
  SetFree(objects);
  objects[1]->mark = 0;
  EXPECT_FALSE(heap().central(c).Return(objects.data(), 4));
  EXPECT_FALSE(heap().central(c).IsAllocated(objects[1]));
  FreeObject* got[4];
  ASSERT_EQ(heap().central(c).Fetch(got, 4), 4U);
  EXPECT_EQ((std::vector<FreeObject*>{got[3], got[2], got[1], got[0]}),
            (std::vector<FreeObject*>{objects.begin(), objects.begin() + 4}));
  EXPECT_EQ(objects[1]->mark, 0U);
  heap().Check();
}

// The search for holes goes on where it stopped, and once around.
TEST_P(CentralListTest, HolesBehindTheSearchAreFound) {
  for (const size_t size : {16U, 48U, 112U, 448U, 960U, 1024U, 1040U}) {
    const SizeClass c = ClassOfSize(size);
    auto objects = FetchAll(c, 1);
    const Span* const span =
        heap().page_map().span_of(heap().arena().PageOf(reinterpret_cast<uintptr_t>(objects[0])));
    const auto others = FetchAll(c, span->slots - 1);
    objects.insert(objects.end(), others.begin(), others.end());
    const size_t middle = objects.size() / 2;
    ASSERT_GT(middle, 1U);
    ReturnWell(c, {objects[middle]});  // The search begins here.
    ReturnWell(c, {objects[middle - 1], objects.back(), objects[0]});
    for (const size_t expected : {middle, objects.size() - 1, size_t{0}, middle - 1}) {
      EXPECT_EQ(Fetch(c, 1), (std::vector<FreeObject*>{objects[expected]})) << size;
    }
    EXPECT_FALSE(span->HasRoom());
    heap().Check();
    ReturnWell(c, objects);
  }
}

TEST_P(CentralListTest, WithoutMemoryTheListIsEmpty) {
  const SizeClass c = ClassOfSize(1000);
  heap().os().FailFromNth(1);
  EXPECT_TRUE(FetchFrom(heap().central(c), 10).empty());
  heap().Check();
  heap().os().Heal();
  EXPECT_FALSE(Fetch(c, 10).empty());
  heap().Check();
}

TEST_P(CentralListTest, AgreesWithAModel) {
  const uint64_t seed = 5;
  std::mt19937_64 random(seed);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const SizeClass classes[] = {ClassOfSize(16),  ClassOfSize(80),   ClassOfSize(448),
                               ClassOfSize(640), ClassOfSize(7168), ClassOfSize(28672)};
  std::vector<FreeObject*> out[std::size(classes)];
  std::set<FreeObject*> all;
  for (int round = 0; round < 4000; ++round) {
    const size_t k = random() % std::size(classes);
    const SizeClass c = classes[k];
    if (random() % 2 == 0 && out[k].size() * kSizeClasses[c].size < kMiB) {
      for (FreeObject* object : Fetch(c, 1 + static_cast<uint32_t>(random() % 40))) {
        ASSERT_TRUE(all.insert(object).second) << "handed out twice";
        out[k].push_back(object);
      }
    } else {
      std::shuffle(out[k].begin(), out[k].end(), random);
      std::vector<FreeObject*> back;
      for (uint64_t n = random() % 40; n > 0 && !out[k].empty(); --n) {
        back.push_back(out[k].back());
        all.erase(out[k].back());
        out[k].pop_back();
      }
      ReturnWell(c, back);
    }
    ASSERT_EQ(heap().central(c).allocated_count(), out[k].size());
    if (round % 200 == 0) heap().Check();
  }
  for (size_t k = 0; k < std::size(classes); ++k) ReturnWell(classes[k], out[k]);
  heap().Check();
  EXPECT_EQ(SmallBytes(), 0U);
}

TEST_P(CentralListTest, ThreadsNeverGetTheSameObject) {
  constexpr int kThreads = 4;
  const SizeClass c = ClassOfSize(48);
  std::atomic<int> shared{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int round = 0; round < 2000; ++round) {
        std::vector<FreeObject*> objects =
            FetchFrom(heap().central(c), 1 + static_cast<uint32_t>(random() % 30));
        // The third word of an object belongs to whoever has it.
        for (FreeObject* object : objects) reinterpret_cast<int64_t*>(object)[2] = t;
        for (FreeObject* object : objects) {
          if (reinterpret_cast<int64_t*>(object)[2] != t) ++shared;
        }
        if (ReturnTo(heap().central(c), objects)) ++shared;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, 0);
  EXPECT_EQ(heap().central(c).allocated_count(), 0U);
  heap().Check();
}

INSTANTIATE_HEAP_MODES(CentralListTest);

}  // namespace
}  // namespace prairie
