// Transfer caches: lists pass through whole, and what does not fit goes to the spans.
#include "allocator/central/transfer_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/object_lists.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class TransferCacheTest : public TestWithHeap {
 protected:
  TransferCache& cache() { return heap().transfer(kClass); }
  CentralList& central() { return cache().central(); }

  ObjectList Take(uint32_t most) {
    ListFault fault;
    const ObjectList list = cache().Take(most, &fault);
    EXPECT_EQ(fault.kind, ListFault::kNone);
    return list;
  }
  // `count` objects straight from the spans, as one list.
  std::vector<FreeObject*> Objects(size_t count) {
    std::vector<FreeObject*> objects;
    ListFault fault;
    while (objects.size() < count) {
      const auto some =
          ObjectsOf(central().Fetch(static_cast<uint32_t>(count - objects.size()), &fault));
      EXPECT_FALSE(some.empty());
      if (some.empty()) break;
      objects.insert(objects.end(), some.begin(), some.end());
    }
    return objects;
  }

  const SizeClass kClass = ClassOfSize(64);
};

TEST_P(TransferCacheTest, AnEmptyOneAsksTheCentralList) {
  const ObjectList list = Take(7);
  EXPECT_EQ(list.count, 7U);
  EXPECT_EQ(ObjectsOf(list).size(), 7U);
  EXPECT_EQ(central().allocated_count(), 7U);
  EXPECT_EQ(cache().cached_count(), 0U);
}

TEST_P(TransferCacheTest, AListPassesThroughWhole) {
  const ObjectList list = ListOf(Objects(33));
  EXPECT_EQ(cache().Give(list).kind, ListFault::kNone);
  EXPECT_EQ(cache().cached_count(), 33U);
  EXPECT_EQ(central().allocated_count(), 33U) << "in a cache is out";
  const ObjectList taken = Take(1);
  EXPECT_EQ(taken.head, list.head);
  EXPECT_EQ(taken.count, 33U) << "of any length";
  EXPECT_EQ(cache().cached_count(), 0U);
}

TEST_P(TransferCacheTest, NothingIsNoList) {
  EXPECT_EQ(cache().Give({}).kind, ListFault::kNone);
  EXPECT_EQ(cache().cached_count(), 0U);
  EXPECT_EQ(Take(3).count, 3U);
}

TEST_P(TransferCacheTest, WhatDoesNotFitGoesToTheSpans) {
  size_t given = 0;
  for (int i = 0; i < 200; ++i) {
    const ObjectList list = ListOf(Objects(5));
    given += 5;
    EXPECT_EQ(cache().Give(list).kind, ListFault::kNone);
    EXPECT_EQ(cache().cached_count(), central().allocated_count());
  }
  EXPECT_LT(cache().cached_count(), given) << "it is bounded";
  EXPECT_GE(cache().cached_count(), 50U) << "and of some use";
  heap().Check();
}

TEST_P(TransferCacheTest, FlushEmptiesItAndTheSpans) {
  for (int i = 0; i < 10; ++i) cache().Give(ListOf(Objects(20)));
  EXPECT_EQ(cache().Flush().kind, ListFault::kNone);
  EXPECT_EQ(cache().cached_count(), 0U);
  EXPECT_EQ(central().allocated_count(), 0U);
  EXPECT_EQ(heap().page_heap().stats().small_bytes, 0U);
  heap().Check();
  EXPECT_EQ(cache().Flush().kind, ListFault::kNone);
}

TEST_P(TransferCacheTest, WhatIsIdleForAnEpochGoesHomeByHalves) {
  constexpr uint32_t kLists = 12, kEach = 20;
  std::vector<FreeObject*> heads;
  for (uint32_t i = 0; i < kLists; ++i) {
    const ObjectList list = ListOf(Objects(kEach));
    heads.push_back(list.head);
    cache().Give(list);
  }
  ListFault fault;
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U) << "the epoch began before they came";
  // In this epoch two are of use.
  const ObjectList newest = Take(1), second = Take(1);
  EXPECT_EQ(newest.head, heads[kLists - 1]);
  EXPECT_EQ(second.head, heads[kLists - 2]);
  cache().Give(second);
  cache().Give(newest);
  uint32_t left = kLists;
  for (const uint32_t expected : {5U, 3U, 2U, 1U, 0U, 0U}) {
    EXPECT_EQ(cache().ReturnIdle(&fault), expected);
    left -= expected;
    EXPECT_EQ(cache().cached_count(), left * kEach);
    EXPECT_EQ(central().allocated_count(), left * kEach) << "home is the central list";
    EXPECT_FALSE(central().IsAllocated(heads[kLists - left - 1])) << "the oldest go";
    EXPECT_TRUE(central().IsAllocated(heads[kLists - left]));
    // The newest is of use in every epoch, and stays.
    const ObjectList top = Take(1);
    EXPECT_EQ(top.head, newest.head);
    cache().Give(top);
    heap().Check();
  }
  EXPECT_EQ(fault.kind, ListFault::kNone);
}

TEST_P(TransferCacheTest, AFlushCountsAsUse) {
  for (int i = 0; i < 4; ++i) cache().Give(ListOf(Objects(5)));
  ListFault fault;
  cache().ReturnIdle(&fault);
  cache().Flush();
  for (int i = 0; i < 3; ++i) cache().Give(ListOf(Objects(5)));
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U) << "these came after the epoch began";
  EXPECT_EQ(cache().cached_count(), 15U);
  heap().Check();
}

TEST_P(TransferCacheTest, AFaultInAnIdleListIsNoted) {
  const auto objects = Objects(10);
  cache().Give(ListOf(objects));
  objects[3]->mark = 0;
  ListFault fault;
  EXPECT_EQ(cache().ReturnIdle(&fault), 0U);
  EXPECT_EQ(cache().ReturnIdle(&fault), 1U);
  EXPECT_EQ(fault.kind, ListFault::kSmashed);
  EXPECT_EQ(fault.object, objects[3]);
  heap().Check();
}

TEST_P(TransferCacheTest, AFaultComesOutWhereTheListIsTakenApart) {
  const auto objects = Objects(10);
  const auto others = Objects(10);
  const ObjectList list = ListOf(objects);
  EXPECT_EQ(cache().Give(list).kind, ListFault::kNone) << "in constant time nothing is looked at";
  cache().Give(ListOf(others));
  objects[4]->mark = 0;
  const ListFault fault = cache().Flush();
  EXPECT_EQ(fault.kind, ListFault::kSmashed);
  EXPECT_EQ(fault.object, objects[4]);
  EXPECT_EQ(cache().cached_count(), 0U) << "the other list was flushed as well";
  EXPECT_EQ(central().allocated_count(), 6U) << "from the smashed object on";
  heap().Check();
}

TEST_P(TransferCacheTest, WithoutMemoryItGivesWhatItHasAndThenNothing) {
  const ObjectList list = ListOf(Objects(5));
  cache().Give(list);
  heap().os().FailFromNth(1);
  EXPECT_EQ(Take(5).head, list.head);
  ListFault fault;
  while (cache().Take(1000, &fault).count > 0) {
  }
  EXPECT_EQ(fault.kind, ListFault::kNone);
  heap().Check();
  heap().os().Heal();
  EXPECT_EQ(Take(5).count, 5U);
}

INSTANTIATE_HEAP_MODES(TransferCacheTest);

}  // namespace
}  // namespace prairie
