// Thread caches: how lists grow, the spare, what moves on, and the invariants in the header.
#include "allocator/thread_cache/thread_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/object_lists.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class ThreadCacheTest : public TestWithHeap {
 protected:
  // What the fast path does, and its slow halves without their error handling.
  FreeObject* Pop(SizeClass c) {
    if (cache_.heads[c] == nullptr) {
      ListFault fault;
      if (!cache_.Refill(c, heap().transfer(c), &fault)) return nullptr;
      EXPECT_EQ(fault.kind, ListFault::kNone);
    }
    FreeObject* const object = cache_.heads[c];
    EXPECT_TRUE(object->IsFree(TestHeap::kMarkKey));
    cache_.heads[c] = object->next;
    object->mark = 0;
    ++cache_.room[c];
    return object;
  }
  void Push(SizeClass c, FreeObject* object) {
    if (cache_.room[c] == 0) {
      EXPECT_EQ(cache_.MakeRoom(c, heap().transfer(c)).kind, ListFault::kNone);
    }
    ASSERT_GT(cache_.room[c], 0U) << "MakeRoom makes room";
    object->Link(cache_.heads[c], TestHeap::kMarkKey);
    cache_.heads[c] = object;
    --cache_.room[c];
  }
  uint32_t OnList(SizeClass c) {
    uint32_t count = 0;
    for (FreeObject* object = cache_.heads[c]; object != nullptr; object = object->next) {
      EXPECT_TRUE(object->IsFree(TestHeap::kMarkKey));
      ++count;
    }
    return count;
  }
  // Only while there is no spare.
  uint32_t Capacity(SizeClass c) { return cache_.cached_count(c) + cache_.room[c]; }
  size_t Out(SizeClass c) { return heap().central(c).allocated_count(); }
  std::vector<FreeObject*> PopMany(SizeClass c, size_t count) {
    std::vector<FreeObject*> objects;
    for (size_t i = 0; i < count; ++i) objects.push_back(Pop(c));
    return objects;
  }

  ThreadCache cache_;
};

TEST_P(ThreadCacheTest, ANewOneHoldsNothingAndHasRoomForNothing) {
  for (int c = 0; c < kSizeClassCount; ++c) {
    EXPECT_EQ(cache_.heads[c], nullptr);
    EXPECT_EQ(cache_.room[c], 0U);
    EXPECT_EQ(cache_.cached_count(static_cast<SizeClass>(c)), 0U);
  }
}

TEST_P(ThreadCacheTest, ListsBeginSmallAndDoubleAsTheyAreUsed) {
  for (const size_t size : {16, 128, 1024, 8192, 32768}) {
    const SizeClass c = ClassOfSize(size);
    const uint32_t most = kSizeClasses[c].max_list;
    ASSERT_NE(Pop(c), nullptr);
    uint32_t last = Capacity(c);
    EXPECT_LE(last * size, std::max<size_t>(size, 512)) << "the first time little";
    for (int refills = 0; refills < 12; ++refills) {
      while (cache_.heads[c] != nullptr) Pop(c);
      ASSERT_NE(Pop(c), nullptr);
      EXPECT_LE(Capacity(c), most);
      EXPECT_TRUE(Capacity(c) == std::min(2 * last, most)) << Capacity(c) << " after " << last;
      last = Capacity(c);
    }
    EXPECT_EQ(last, most);
  }
}

TEST_P(ThreadCacheTest, RoomGrowsForOneThatOnlyFrees) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_list;
  // Objects from elsewhere.
  std::vector<FreeObject*> objects;
  ListFault fault;
  while (objects.size() < most) {
    const auto some =
        ObjectsOf(heap().central(c).Fetch(most - static_cast<uint32_t>(objects.size()), &fault));
    objects.insert(objects.end(), some.begin(), some.end());
  }
  for (FreeObject* object : objects) {
    Push(c, object);
    EXPECT_EQ(OnList(c), cache_.cached_count(c));
    EXPECT_LE(Capacity(c), most);
  }
  EXPECT_EQ(cache_.cached_count(c), most);
  EXPECT_EQ(heap().transfer(c).cached_count(), 0U);
}

TEST_P(ThreadCacheTest, AFullListBecomesTheSpareAndAFullSpareMovesOn) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_list;
  const auto objects = PopMany(c, 3 * most + 1);
  EXPECT_EQ(cache_.Flush(heap().transfers()).kind, ListFault::kNone);
  heap().transfer(c).Flush();
  for (uint32_t i = 0; i < 3 * most + 1; ++i) {
    Push(c, objects[i]);
    EXPECT_EQ(cache_.cached_count(c) + heap().transfer(c).cached_count(), i + 1);
    EXPECT_LE(cache_.cached_count(c), 2 * most) << "a list and a spare";
  }
  EXPECT_EQ(cache_.cached_count(c), most + 1);
  EXPECT_EQ(heap().transfer(c).cached_count(), 2 * most);
  EXPECT_EQ(Out(c), 3 * most + 1);
}

TEST_P(ThreadCacheTest, UnderALimitCachesAreSmall) {
  TestHeapConfig config = GetParam();
  config.unreserved = true;
  config.address_space_limit = 256 * kMiB;
  NewHeap(config);
  for (const size_t size : {16, 128, 1024, 8192, 32768}) {
    const SizeClass c = ClassOfSize(size);
    const uint32_t most = std::max(kSizeClasses[c].max_list / 8, 1U);
    const auto objects = PopMany(c, 10 * most);
    for (FreeObject* object : objects) Push(c, object);
    EXPECT_LE(cache_.cached_count(c), 2 * most) << size;
    EXPECT_LE(heap().transfer(c).cached_count(), 2 * most) << size;
    EXPECT_LE(Out(c), 4 * most) << size;
    EXPECT_NE(Pop(c), nullptr) << size;
  }
}

TEST_P(ThreadCacheTest, AroundABoundaryNothingIsExchanged) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_list;
  const auto objects = PopMany(c, 2 * most);
  for (FreeObject* object : objects) Push(c, object);
  const size_t out = Out(c), elsewhere = heap().transfer(c).cached_count();
  for (int round = 0; round < 20; ++round) {
    auto some = PopMany(c, most + 1);
    for (FreeObject* object : some) Push(c, object);
    EXPECT_EQ(Out(c), out);
    EXPECT_EQ(heap().transfer(c).cached_count(), elsewhere);
  }
}

TEST_P(ThreadCacheTest, AListFromAnotherThreadIsTakenWhole) {
  const SizeClass c = ClassOfSize(64);
  ListFault fault;
  const ObjectList list = heap().central(c).Fetch(50, &fault);
  ASSERT_EQ(list.count, 50U);
  heap().transfer(c).Give(list);
  ASSERT_NE(Pop(c), nullptr);
  EXPECT_EQ(cache_.cached_count(c), 49U);
  EXPECT_EQ(Capacity(c), 50U);
}

TEST_P(ThreadCacheTest, FlushGivesEverythingHome) {
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    auto objects = PopMany(c, 2 * kSizeClasses[c].max_list + 1);
    for (FreeObject* object : objects) Push(c, object);
  }
  EXPECT_EQ(cache_.Flush(heap().transfers()).kind, ListFault::kNone);
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    EXPECT_EQ(cache_.cached_count(c), 0U);
    EXPECT_EQ(cache_.room[c], 0U) << "as a new one";
    EXPECT_EQ(heap().transfer(c).cached_count(), Out(c));
    EXPECT_EQ(heap().transfer(c).Flush().kind, ListFault::kNone);
    EXPECT_EQ(Out(c), 0U);
  }
  EXPECT_EQ(heap().page_heap().stats().small_bytes, 0U);
  heap().Check();
  EXPECT_NE(Pop(1), nullptr) << "and it can be used again";
}

TEST_P(ThreadCacheTest, FlushReportsTheFirstFault) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_list;
  auto objects = PopMany(c, 2 * most);
  for (FreeObject* object : objects) Push(c, object);
  // The transfer cache must be full, so that lists are taken apart.
  ListFault fault;
  for (int i = 0; i < 100; ++i) heap().transfer(c).Give(heap().central(c).Fetch(1, &fault));
  cache_.heads[c]->mark ^= 1;
  FreeObject* const smashed = cache_.heads[c];
  const ListFault found = cache_.Flush(heap().transfers());
  EXPECT_EQ(found.kind, ListFault::kSmashed);
  EXPECT_EQ(found.object, smashed);
  heap().Check();
}

TEST_P(ThreadCacheTest, DropListForgetsIt) {
  const SizeClass c = ClassOfSize(16);
  ASSERT_NE(Pop(c), nullptr);
  const uint32_t capacity = Capacity(c);
  ASSERT_NE(cache_.heads[c], nullptr);
  cache_.DropList(c);
  EXPECT_EQ(cache_.heads[c], nullptr);
  EXPECT_EQ(cache_.room[c], capacity);
  EXPECT_EQ(cache_.cached_count(c), 0U);
}

TEST_P(ThreadCacheTest, WithoutMemoryRefillFailsAndLeavesItAsItWas) {
  const SizeClass c = ClassOfSize(5000);
  heap().os().FailFromNth(1);
  EXPECT_EQ(Pop(c), nullptr);
  EXPECT_EQ(cache_.cached_count(c), 0U);
  heap().os().Heal();
  EXPECT_NE(Pop(c), nullptr);
}

TEST_P(ThreadCacheTest, InvariantsHoldThroughRandomUse) {
  const uint64_t seed = 17;
  std::mt19937_64 random(seed);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const SizeClass classes[] = {ClassOfSize(16), ClassOfSize(256), ClassOfSize(32768)};
  std::vector<FreeObject*> held[std::size(classes)];
  for (int round = 0; round < 3000; ++round) {
    const size_t k = random() % std::size(classes);
    const SizeClass c = classes[k];
    const bool grow = random() % 2 == 0;
    for (uint64_t n = random() % 60; n > 0; --n) {
      if (grow && held[k].size() < 1500) {
        held[k].push_back(Pop(c));
      } else if (!grow && !held[k].empty()) {
        Push(c, held[k].back());
        held[k].pop_back();
      }
    }
    ASSERT_GE(cache_.cached_count(c), OnList(c));
    ASSERT_EQ(held[k].size() + cache_.cached_count(c) + heap().transfer(c).cached_count(), Out(c));
    if (random() % 500 == 0) {
      cache_.Flush(heap().transfers());
      heap().Check();
    }
  }
}

INSTANTIATE_HEAP_MODES(ThreadCacheTest);

}  // namespace
}  // namespace prairie
