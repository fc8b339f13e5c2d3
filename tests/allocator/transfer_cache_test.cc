// Transfer caches: magazines pass through whole, and what does not fit goes to the spans.
#include "allocator/central/transfer_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/magazines.h"
#include "tests/support/needs.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class TransferCacheTest : public TestWithHeap {
 protected:
  TransferCache& cache() { return heap().transfer(kClass); }
  CentralList& central() { return cache().central(); }

  Magazine* Empty(uint32_t capacity = 30) { return heap().magazines().Acquire(capacity); }
  // In exchange for an empty one.
  Magazine* Take(uint32_t most) {
    Magazine* const magazine = cache().Take(Empty(), most);
    return magazine;
  }
  // A magazine of `count` fresh objects, given. Returns it.
  Magazine* Give(Magazine* full) {
    ListFault fault;
    heap().magazines().Release(cache().Give(full, &fault));
    EXPECT_FALSE(fault);
    return full;
  }
  Magazine* GiveFresh(uint32_t count) { return Give(MagazineOf(heap(), Objects(count))); }
  void HandOut(PageCount pages) {
    const PageCount before = heap().page_heap().turnover();
    Span* const span = heap().page_heap().Allocate(pages, {1}, SpanKind::kSmall);
    ASSERT_NE(span, nullptr);
    EXPECT_GE(heap().page_heap().turnover() - before, pages);
    heap().page_heap().Free(span);
  }
  // `count` objects straight from the spans.
  std::vector<FreeObject*> Objects(size_t count) {
    std::vector<FreeObject*> objects;
    while (objects.size() < count) {
      const auto some = FetchFrom(central(), static_cast<uint32_t>(count - objects.size()));
      EXPECT_FALSE(some.empty());
      if (some.empty()) break;
      objects.insert(objects.end(), some.begin(), some.end());
    }
    return objects;
  }

  const SizeClass kClass = ClassOfSize(64);
};

TEST_P(TransferCacheTest, AnEmptyOneAsksTheCentralListAndFillsTheMagazineItGets) {
  Magazine* const empty = Empty();
  ASSERT_EQ(cache().Take(empty, 7), empty);
  EXPECT_EQ(empty->count, 7U);
  EXPECT_EQ(ObjectsOf(empty).size(), 7U);
  EXPECT_EQ(central().allocated_count(), 7U);
  EXPECT_EQ(cache().cached_count(), 0U);
}

TEST_P(TransferCacheTest, AMagazinePassesThroughWholeInExchangeForAnEmptyOne) {
  Magazine* const full = MagazineOf(heap(), Objects(33));
  ListFault fault;
  EXPECT_EQ(cache().Give(full, &fault), nullptr) << "there is no empty one yet";
  EXPECT_FALSE(fault);
  EXPECT_EQ(cache().cached_count(), 33U);
  EXPECT_EQ(central().allocated_count(), 33U) << "in a cache is out";
  Magazine* const empty = Empty();
  EXPECT_EQ(cache().Take(empty, 1), full);
  EXPECT_EQ(full->count, 33U) << "of any number";
  EXPECT_EQ(cache().cached_count(), 0U);
  EXPECT_EQ(cache().Give(full, &fault), empty);
}

TEST_P(TransferCacheTest, EmptyOnesThatAreTooManyGoToTheStore) {
  constexpr int kMany = 20;
  for (int i = 0; i < kMany; ++i) GiveFresh(2);
  for (int i = 0; i < kMany; ++i) EXPECT_EQ(Take(2)->count, 2U);
  const size_t metadata = heap().metadata().committed_bytes();
  for (int i = 0; i < kMany; ++i) EXPECT_NE(Empty(), nullptr);
  EXPECT_EQ(heap().metadata().committed_bytes(), metadata) << "all of them are reused";
}

TEST_P(TransferCacheTest, WhatDoesNotFitGoesToTheSpans) {
  size_t given = 0;
  for (int i = 0; i < 200; ++i) {
    GiveFresh(5);
    given += 5;
    EXPECT_EQ(cache().cached_count(), central().allocated_count());
  }
  EXPECT_LT(cache().cached_count(), given) << "it is bounded";
  EXPECT_GE(cache().cached_count(), 50U) << "and of some use";
  heap().Check();
}

TEST_P(TransferCacheTest, FlushEmptiesItAndTheSpans) {
  for (int i = 0; i < 10; ++i) GiveFresh(20);
  EXPECT_FALSE(cache().Flush());
  EXPECT_EQ(cache().cached_count(), 0U);
  EXPECT_EQ(central().allocated_count(), 0U);
  EXPECT_EQ(heap().page_heap().stats().small_bytes, 0U);
  heap().Check();
  EXPECT_FALSE(cache().Flush());
}

TEST_P(TransferCacheTest, WhatIsIdleForAnEpochGoesHomeByHalves) {
  constexpr uint32_t kMagazines = 12, kEach = 20;
  std::vector<Magazine*> given;
  std::vector<FreeObject*> firsts;
  for (uint32_t i = 0; i < kMagazines; ++i) {
    given.push_back(GiveFresh(kEach));
    firsts.push_back(*given.back()->cells());
  }
  ListFault fault;
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U) << "the epoch began before they came";
  // In this epoch two are of use.
  Magazine* const newest = Take(1);
  Magazine* const second = Take(1);
  EXPECT_EQ(newest, given[kMagazines - 1]);
  EXPECT_EQ(second, given[kMagazines - 2]);
  Give(second);
  Give(newest);
  uint32_t left = kMagazines;
  for (const uint32_t expected : {5U, 3U, 2U, 1U, 0U, 0U}) {
    EXPECT_EQ(cache().ReturnIdle(&fault), expected);
    left -= expected;
    EXPECT_EQ(cache().cached_count(), left * kEach);
    EXPECT_EQ(central().allocated_count(), left * kEach) << "home is the central list";
    EXPECT_FALSE(central().IsAllocated(firsts[kMagazines - left - 1])) << "the oldest go";
    EXPECT_TRUE(central().IsAllocated(firsts[kMagazines - left]));
    // The newest is of use in every epoch, and stays.
    EXPECT_EQ(Take(1), newest);
    Give(newest);
    heap().Check();
  }
  EXPECT_FALSE(fault);
}

TEST_P(TransferCacheTest, AnEpochEndsForABoundedNumberAtATime) {
  for (int i = 0; i < 100; ++i) GiveFresh(1);
  ListFault fault;
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U);
  const uint32_t returned = cache().ReturnIdle(&fault);
  EXPECT_GE(returned, 10U);
  EXPECT_LT(returned, 50U) << "a thread's free waits for it";
  EXPECT_EQ(cache().cached_count(), 100 - returned);
}

TEST_P(TransferCacheTest, WhatIsUnusedWhilePagesAreHandedOutGoesHome) {
  const PageCount patience = cache().patience();
  const PageCount half = {patience.value / 2};
  ListFault fault;
  const auto cached_after_look = [&] {
    cache().ReturnUnused(&fault);
    return cache().cached_count();
  };
  for (int i = 0; i < 20; ++i) GiveFresh(5);
  HandOut(half);
  EXPECT_EQ(cached_after_look(), 100U);
  Give(Take(1));
  HandOut(half);
  EXPECT_EQ(cached_after_look(), 100U) << "it was used in between";
  HandOut(half);
  const size_t left = cached_after_look();
  EXPECT_LT(left, 50U);
  EXPECT_GT(left, 0U) << "a thread's slow call waits for it";
  EXPECT_EQ(cached_after_look(), 0U) << "nothing came or went";
  EXPECT_EQ(central().allocated_count(), 0U);
  EXPECT_EQ(cache().patience(), patience);
  EXPECT_FALSE(fault);
  heap().Check();
}

TEST_P(TransferCacheTest, WhatWentHomeInVainStaysLongerTheNextTime) {
  ListFault fault;
  PageCount patience = cache().patience();
  const auto go_home = [&] {
    GiveFresh(5);
    HandOut(cache().patience());
    cache().ReturnUnused(&fault);
    EXPECT_EQ(cache().cached_count(), 0U);
  };
  go_home();
  Give(Take(5));
  EXPECT_EQ(cache().patience(), patience + patience) << "it was wanted soon after";
  cache().Flush();
  Give(Take(5));
  EXPECT_EQ(cache().patience(), patience + patience) << "that was no mistake of it";
  cache().Flush();
  patience = cache().patience();
  go_home();
  HandOut({8 * patience.value + 1});
  const PageCount half = {patience.value / 2};
  Give(Take(5));
  EXPECT_EQ(cache().patience(), half) << "long after";
  for (int i = 0; i < 10; ++i) {
    patience = cache().patience();
    go_home();
    Give(Take(5));
    cache().Flush();
  }
  EXPECT_EQ(cache().patience(), patience) << "it has a limit";
}

TEST_P(TransferCacheTest, WhatHoldsAnythingIsKnown) {
  const Transferring& all = heap().transferring();
  const auto give = [&](SizeClass c) {
    ListFault fault;
    heap().transfer(c).Give(MagazineOf(heap(), FetchFrom(heap().central(c), 1)), &fault);
  };
  EXPECT_EQ(all.NextAfter(0), 0);
  const SizeClass last = kSizeClassCount - 1;
  for (const SizeClass c : {SizeClass{1}, SizeClass{63}, SizeClass{64}, last}) give(c);
  give(63);
  EXPECT_EQ(all.NextAfter(0), 1);
  EXPECT_EQ(all.NextAfter(1), 63);
  EXPECT_EQ(all.NextAfter(40), 63);
  EXPECT_EQ(all.NextAfter(63), 64);
  EXPECT_EQ(all.NextAfter(64), last);
  EXPECT_EQ(all.NextAfter(last), 1);
  ListFault fault;
  heap().transfer(63).ReturnNewest(&fault);
  EXPECT_EQ(all.NextAfter(1), 63) << "it has one left";
  heap().transfer(63).ReturnNewest(&fault);
  EXPECT_EQ(all.NextAfter(1), 64);
  for (const SizeClass c : {SizeClass{64}, last}) heap().transfer(c).Flush();
  EXPECT_EQ(all.NextAfter(1), 1) << "itself";
  heap().transfer(1).Flush();
  EXPECT_EQ(all.NextAfter(1), 0);
}

TEST_P(TransferCacheTest, UnderALimitItHoldsLittleAndIsImpatient) {
  const PageCount patience = cache().patience();
  heap().os().set_address_space_limit(256 * kMiB);
  heap().page_heap().ObserveLimits();
  ASSERT_TRUE(heap().page_heap().frugal());
  EXPECT_LT(cache().patience(), patience);
  for (int i = 0; i < 10; ++i) GiveFresh(1);
  const size_t few = cache().cached_count();
  EXPECT_GT(few, 0U);
  EXPECT_LT(few, 5U);
  heap().os().set_address_space_limit(2 * kGiB);
  heap().page_heap().ObserveLimits();
  ASSERT_FALSE(heap().page_heap().frugal());
  // The few slots are replaced once they are empty.
  cache().Flush();
  std::vector<Magazine*> given;
  for (int i = 0; i < 50; ++i) given.push_back(GiveFresh(1));
  EXPECT_EQ(cache().cached_count(), 50U);
  EXPECT_EQ(Take(1), given.back());
  heap().Check();
}

TEST_P(TransferCacheTest, WithoutMemoryForSlotsMagazinesGoToTheSpans) {
  const SizeClass c = ClassOfSize(128);
  TransferCache& other = heap().transfer(c);
  Magazine* const full = MagazineOf(heap(), FetchFrom(other.central(), 7));
  heap().os().FailFromNth(1);
  // Uses up what is committed of the metadata.
  while (heap().metadata().Allocate(64) != nullptr) {
  }
  ListFault fault;
  EXPECT_EQ(other.Give(full, &fault), full);
  EXPECT_EQ(full->count, 0U);
  EXPECT_EQ(other.central().allocated_count(), 0U);
  heap().os().Heal();
  heap().magazines().Release(full);
  heap().Check();
}

TEST_P(TransferCacheTest, TheNewestGoesHomeWhenAsked) {
  std::vector<FreeObject*> firsts;
  for (int i = 0; i < 3; ++i) firsts.push_back(*GiveFresh(20)->cells());
  ListFault fault;
  for (int left = 2; left >= 0; --left) {
    EXPECT_TRUE(cache().ReturnNewest(&fault));
    EXPECT_FALSE(central().IsAllocated(firsts[left]));
    EXPECT_EQ(cache().cached_count(), 20U * left);
  }
  EXPECT_FALSE(cache().ReturnNewest(&fault));
  EXPECT_FALSE(fault);
  heap().Check();
}

TEST_P(TransferCacheTest, TheOldestIsTheOldestHoweverManyCameAndWent) {
  std::deque<FreeObject*> waiting;
  ListFault fault;
  uint32_t went = 0;
  for (int i = 0; i < 300; ++i) {
    waiting.push_back(*GiveFresh(1)->cells());
    if (waiting.size() < 5) continue;
    for (uint32_t idle = cache().ReturnIdle(&fault); idle > 0; --idle, ++went) {
      ASSERT_FALSE(central().IsAllocated(waiting.front())) << i;
      waiting.pop_front();
    }
    for (FreeObject* object : waiting) ASSERT_TRUE(central().IsAllocated(object)) << i;
    EXPECT_EQ(*Give(Take(1))->cells(), waiting.back()) << "the newest comes out first";
  }
  EXPECT_GT(went, 256U) << "more than twice round";
  heap().Check();
}

TEST_P(TransferCacheTest, WhatItHoldsIsCounted) {
  const size_t size = kSizeClasses[kClass].size;
  ListFault fault;
  for (uint32_t i = 0; i < 200; ++i) {
    GiveFresh(1 + i % 30);
    if (i % 3 == 0) heap().magazines().Release(Take(30));
    if (i % 7 == 0) cache().ReturnNewest(&fault);
    if (i % 20 == 0) cache().ReturnIdle(&fault);
    ASSERT_EQ(heap().transferring().bytes(), cache().cached_count() * size);
    ASSERT_EQ(cache().held(), heap().transferring().bytes());
  }
  cache().Flush();
  EXPECT_EQ(heap().transferring().bytes(), 0U);
}

TEST_P(TransferCacheTest, AFlushCountsAsUse) {
  for (int i = 0; i < 4; ++i) GiveFresh(5);
  ListFault fault;
  cache().ReturnIdle(&fault);
  cache().Flush();
  for (int i = 0; i < 3; ++i) GiveFresh(5);
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U) << "these came after the epoch began";
  EXPECT_EQ(cache().cached_count(), 15U);
  heap().Check();
}

TEST_P(TransferCacheTest, AFaultInAnIdleMagazineIsNoted) {
  const auto objects = Objects(10);
  Give(MagazineOf(heap(), objects));
  EXPECT_FALSE(central().Return(&objects[3], 1));
  ListFault fault;
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U);
  EXPECT_EQ(cache().ReturnIdle(&fault), 1U);
  EXPECT_EQ(fault.object, objects[3]) << "it is in already";
  heap().Check();
}

TEST_P(TransferCacheTest, AFaultComesOutWhereTheMagazineIsTakenApart) {
  const auto objects = Objects(10);
  Give(MagazineOf(heap(), objects));
  GiveFresh(10);
  EXPECT_FALSE(central().Return(&objects[4], 1));
  const ListFault fault = cache().Flush();
  EXPECT_EQ(fault.object, objects[4]) << "it is in already";
  EXPECT_EQ(cache().cached_count(), 0U) << "the other magazine was flushed as well";
  EXPECT_EQ(central().allocated_count(), 0U);
  heap().Check();
}

TEST_P(TransferCacheTest, WithoutMemoryItGivesWhatItHasAndThenNothing) {
  Magazine* const full = GiveFresh(5);
  Magazine* const empty = Empty();
  Magazine* another = Empty();
  heap().os().FailFromNth(1);
  EXPECT_EQ(cache().Take(empty, 5), full);
  do {
    another = cache().Take(another, 30);
  } while (another->count > 0);
  heap().Check();
  heap().os().Heal();
  EXPECT_EQ(Take(5)->count, 5U);
}

// Threads that bring, take, and look after what is idle and unused, in one cache at once.
TEST_P(TransferCacheTest, ThreadsNeverGetTheSameMagazine) {
  PRAIRIE_NEEDS_MEMORY(192, "the stacks of four threads, which the C library keeps for others");
  constexpr int kThreads = 4;
  constexpr int kRounds = 3000;
  std::atomic<int> wrong{0};
  const auto work = [&](int64_t thread) {
    std::mt19937_64 random(static_cast<uint64_t>(thread));
    Magazine* mine = Empty();
    ListFault fault;
    for (int round = 0; round < kRounds; ++round) {
      if (mine->count == 0) mine = cache().Take(mine, 1 + static_cast<uint32_t>(random() % 30));
      // The third word of an object belongs to whoever has it.
      for (FreeObject* object : ObjectsOf(mine)) reinterpret_cast<int64_t*>(object)[2] = thread;
      switch (random() % 8) {
        case 0:
          cache().ReturnUnused(&fault);
          break;
        case 1:
          cache().ReturnIdle(&fault);
          break;
        case 2:
          cache().ReturnNewest(&fault);
          break;
        case 3:
          fault.Note(random() % 16 == 0 ? cache().Flush() : ListFault{});
          break;
        default:
          break;
      }
      for (FreeObject* object : ObjectsOf(mine)) {
        if (reinterpret_cast<int64_t*>(object)[2] != thread) ++wrong;
      }
      if (random() % 3 == 0) continue;
      mine = cache().Give(mine, &fault);
      if (mine == nullptr) mine = Empty();
    }
    if (mine->count > 0) mine = cache().Give(mine, &fault);
    heap().magazines().Release(mine);
    if (fault) ++wrong;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  heap().Check();
  EXPECT_EQ(central().allocated_count(), cache().cached_count());
  EXPECT_FALSE(cache().Flush());
  EXPECT_EQ(central().allocated_count(), 0U);
  EXPECT_EQ(heap().transferring().bytes(), 0U);
  heap().Check();
}

INSTANTIATE_HEAP_MODES(TransferCacheTest);

}  // namespace
}  // namespace prairie
