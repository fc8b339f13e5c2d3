// Thread caches: how magazines grow, the spare, what moves on, and the invariants in the header.
#include "allocator/thread_cache/thread_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/magazines.h"
#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class ThreadCacheTest : public TestWithHeap {
 protected:
  // What the fast path does, and its slow halves without their error handling. Nobody looks after
  // what is idle, so a look remains due.
  FreeObject* Pop(SizeClass c) {
    FreeObject* object = cache_.Pop(c, TestHeap::kMarkKey);
    if (object == nullptr) {
      if (!cache_.TakeFullSpare(c) && !cache_.Refill(c, heap().transfer(c))) return nullptr;
      object = cache_.Pop(c, TestHeap::kMarkKey);
      EXPECT_NE(object, nullptr);
    }
    EXPECT_FALSE(object->IsIntact(TestHeap::kMarkKey)) << "the mark is gone";
    return object;
  }
  bool PushIfRoom(SizeClass c, FreeObject* object) {
    return cache_.Push(object, object->FreeMark(TestHeap::kMarkKey), c);
  }
  void Push(SizeClass c, FreeObject* object) {
    if (PushIfRoom(c, object)) return;
    ListFault fault;
    EXPECT_TRUE(cache_.TakeEmptySpare(c) || cache_.MakeRoom(c, heap().transfer(c), &fault));
    EXPECT_FALSE(fault);
    ASSERT_TRUE(PushIfRoom(c, object)) << "MakeRoom makes room";
  }
  // The magazine is full, and the spare empty; both are as large as they get. Returns the objects.
  std::vector<FreeObject*> FillMagazine(SizeClass c) {
    const uint32_t most = kSizeClasses[c].max_cached;
    auto objects = PopMany(c, 3 * most);
    while (cache_.cached_count(c) != 0) objects.push_back(Pop(c));
    for (uint32_t i = 0; i < 2 * most; ++i) Push(c, objects[i]);
    for (uint32_t i = 0; i < 2 * most; ++i) objects[i] = Pop(c);
    for (uint32_t i = 0; i < most; ++i) EXPECT_TRUE(PushIfRoom(c, objects[i]));
    EXPECT_EQ(cache_.room(c), 0U);
    EXPECT_EQ(cache_.cached_count(c), most);
    PutOffLook();
    return objects;
  }
  void PutOffLook() { cache_.look_due = cache_.slow_calls + ThreadCache::kSlowCallsToALook; }
  // Only while there is no spare.
  uint32_t Capacity(SizeClass c) { return cache_.cached_count(c) + cache_.room(c); }
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
    const SizeClass size_class = static_cast<SizeClass>(c);
    EXPECT_EQ(cache_.Pop(size_class, TestHeap::kMarkKey), nullptr);
    EXPECT_EQ(cache_.PopSmashed(size_class), nullptr);
    FreeObject object = {};
    EXPECT_FALSE(PushIfRoom(size_class, &object));
    EXPECT_EQ(cache_.room(size_class), 0U);
    EXPECT_EQ(cache_.cached_count(size_class), 0U);
  }
}

TEST_P(ThreadCacheTest, MagazinesBeginSmallAndDoubleAsTheyAreUsed) {
  for (const size_t size : {16, 128, 1024, 8192, 32768}) {
    const SizeClass c = ClassOfSize(size);
    const uint32_t most = kSizeClasses[c].max_cached;
    ASSERT_NE(Pop(c), nullptr);
    uint32_t last = Capacity(c);
    EXPECT_LE(last * size, std::max<size_t>(size, 512)) << "the first time little";
    for (int refills = 0; refills < 12; ++refills) {
      while (cache_.cached_count(c) > 0) Pop(c);
      ASSERT_NE(Pop(c), nullptr);
      EXPECT_EQ(Capacity(c), std::min(2 * last + 2, most)) << " after " << last;
      last = Capacity(c);
    }
    EXPECT_EQ(last, most);
  }
}

TEST_P(ThreadCacheTest, RoomGrowsForOneThatOnlyFrees) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  // Objects from elsewhere.
  std::vector<FreeObject*> objects;
  while (objects.size() < most) {
    const auto some = FetchFrom(heap().central(c), most - static_cast<uint32_t>(objects.size()));
    objects.insert(objects.end(), some.begin(), some.end());
  }
  for (FreeObject* object : objects) {
    Push(c, object);
    EXPECT_LE(Capacity(c), most);
  }
  EXPECT_EQ(cache_.cached_count(c), most);
  EXPECT_EQ(heap().transfer(c).cached_count(), 0U);
}

TEST_P(ThreadCacheTest, WhatIsKeptForLastComesAfterOthers) {
  const SizeClass c = ClassOfSize(16);
  const auto objects = FetchFrom(heap().central(c), 2);
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_FALSE(cache_.knows(c));
  Push(c, objects[0]);
  EXPECT_TRUE(cache_.knows(c));
  cache_.KeepForLast(c, heap().transfer(c));
  const uint32_t cached = cache_.cached_count(c);
  ASSERT_GT(cached, 1U);
  for (uint32_t i = 1; i < cached; ++i) EXPECT_NE(Pop(c), objects[0]);
  EXPECT_EQ(Pop(c), objects[0]);
}

TEST_P(ThreadCacheTest, KeptForLastWithoutMemoryItIsTheNext) {
  const SizeClass c = ClassOfSize(16);
  const auto objects = FetchFrom(heap().central(c), 1);
  Push(c, objects[0]);
  heap().os().FailFromNth(1);
  for (uint32_t capacity = 1; capacity <= MagazineStore::kLargest; capacity *= 2) {
    while (heap().magazines().Acquire(capacity) != nullptr) {
    }
  }
  cache_.KeepForLast(c, heap().transfer(c));
  heap().os().Heal();
  EXPECT_EQ(Pop(c), objects[0]);
}

TEST_P(ThreadCacheTest, AFullMagazineBecomesTheSpareAndAFullSpareMovesOn) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  const auto objects = PopMany(c, 3 * most + 1);
  EXPECT_FALSE(cache_.Flush(heap().transfers()));
  heap().transfer(c).Flush();
  for (uint32_t i = 0; i < 3 * most + 1; ++i) {
    Push(c, objects[i]);
    EXPECT_EQ(cache_.cached_count(c) + heap().transfer(c).cached_count(), i + 1);
    EXPECT_LE(cache_.cached_count(c), 2 * most) << "a magazine and a spare";
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
    const uint32_t most = std::max(kSizeClasses[c].max_cached / 8, 1U);
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
  const uint32_t most = kSizeClasses[c].max_cached;
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

TEST_P(ThreadCacheTest, AnEmptySpareTakesThePlaceOfAFullMagazine) {
  const SizeClass c = ClassOfSize(64);
  EXPECT_FALSE(cache_.TakeEmptySpare(c)) << "no magazine";
  const uint32_t most = kSizeClasses[c].max_cached;
  const auto objects = FillMagazine(c);
  const size_t elsewhere = heap().transfer(c).cached_count();
  EXPECT_TRUE(cache_.TakeEmptySpare(c));
  EXPECT_EQ(cache_.room(c), most);
  EXPECT_EQ(cache_.cached_count(c), most);
  for (uint32_t i = 0; i < most; ++i) ASSERT_TRUE(PushIfRoom(c, objects[most + i]));
  EXPECT_FALSE(cache_.TakeEmptySpare(c)) << "the spare is full";
  for (uint32_t i = 2 * most; i > most; --i) {
    EXPECT_EQ(cache_.Pop(c, TestHeap::kMarkKey), objects[i - 1]);
  }
  EXPECT_TRUE(cache_.TakeFullSpare(c));
  for (uint32_t i = most; i > 0; --i) {
    EXPECT_EQ(cache_.Pop(c, TestHeap::kMarkKey), objects[i - 1]);
  }
  EXPECT_EQ(cache_.cached_count(c), 0U);
  EXPECT_EQ(heap().transfer(c).cached_count(), elsewhere);
}

TEST_P(ThreadCacheTest, AnEmptySpareWaitsWhileCapacityMayGrow) {
  const SizeClass c = ClassOfSize(64);
  const auto objects = FillMagazine(c);
  ListFault fault;
  cache_.ReturnUnused(c, {}, heap().transfer(c), &fault);
  cache_.ReturnUnused(c, heap().transfer(c).patience(), heap().transfer(c), &fault);
  ASSERT_EQ(cache_.cached_count(c), 0U) << "and its capacity is halved";
  const uint32_t most = kSizeClasses[c].max_cached;
  size_t i = most;
  while (PushIfRoom(c, objects[i])) ++i;
  EXPECT_EQ(i, most + most / 2);
  EXPECT_FALSE(cache_.TakeEmptySpare(c));
  Push(c, objects[i]);
  EXPECT_EQ(cache_.room(c) + i + 1, 2 * most) << "it has grown";
}

TEST_P(ThreadCacheTest, ALimitThatComesLaterMakesMagazinesSmall) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  const auto objects = FillMagazine(c);
  heap().os().set_address_space_limit(256 * kMiB);
  heap().page_heap().ObserveLimits();
  ASSERT_TRUE(heap().page_heap().frugal());
  ListFault fault;
  cache_.ReturnUnused(c, {1}, heap().transfer(c), &fault);
  EXPECT_FALSE(cache_.TakeEmptySpare(c));
  Push(c, objects[most]);
  EXPECT_EQ(cache_.room(c) + 1, most / 8);
}

TEST_P(ThreadCacheTest, AFullSpareTakesThePlaceOfAnEmptyMagazineUntilALookIsDue) {
  const SizeClass c = ClassOfSize(64);
  EXPECT_FALSE(cache_.TakeFullSpare(c)) << "no magazine";
  const uint32_t most = kSizeClasses[c].max_cached;
  const auto objects = FillMagazine(c);
  EXPECT_FALSE(cache_.TakeFullSpare(c)) << "the magazine is not empty";
  uint32_t swaps = 0;
  for (; !cache_.IsLookDue(); ++swaps) {
    ASSERT_LE(swaps, ThreadCache::kSlowCallsToALook) << "they count as slow calls";
    ASSERT_TRUE(cache_.TakeEmptySpare(c));
    ASSERT_TRUE(cache_.TakeFullSpare(c));
    EXPECT_EQ(cache_.cached_count(c), most);
    EXPECT_EQ(cache_.room(c), 0U);
  }
  EXPECT_EQ(swaps, ThreadCache::kSlowCallsToALook / 2);

  ASSERT_TRUE(cache_.TakeEmptySpare(c));
  EXPECT_FALSE(cache_.TakeFullSpare(c));
  EXPECT_EQ(cache_.room(c), most) << "nothing has changed";
  EXPECT_EQ(cache_.cached_count(c), most);
  PutOffLook();
  EXPECT_TRUE(cache_.TakeFullSpare(c));
}

// As when what a refill looks after starts a thread, for which the C library allocates.
TEST_P(ThreadCacheTest, AMagazineThatIsNotEmptyAnyMoreIsNotRefilled) {
  const SizeClass c = ClassOfSize(64);
  const FreeObject* const first = Pop(c);
  const uint32_t cached = cache_.cached_count(c);
  ASSERT_GT(cached, 0U);
  EXPECT_TRUE(cache_.Refill(c, heap().transfer(c)));
  EXPECT_EQ(cache_.cached_count(c), cached);
  EXPECT_NE(Pop(c), first);
}

TEST_P(ThreadCacheTest, AMagazineFromAnotherThreadIsTakenWhole) {
  const SizeClass c = ClassOfSize(64);
  ListFault fault;
  const auto objects = FetchFrom(heap().central(c), 50);
  ASSERT_EQ(objects.size(), 50U);
  heap().transfer(c).Give(MagazineOf(heap(), objects), &fault);
  EXPECT_EQ(Pop(c), objects.back());
  EXPECT_EQ(cache_.cached_count(c), 49U);
  EXPECT_EQ(Capacity(c), 50U);
}

TEST_P(ThreadCacheTest, WhatWasWrittenToIsNotHandedOut) {
  const SizeClass c = ClassOfSize(16);
  auto objects = PopMany(c, 3);
  for (FreeObject* object : objects) Push(c, object);
  const uint32_t cached = cache_.cached_count(c);
  objects[1]->self ^= 1;
  EXPECT_EQ(cache_.Pop(c, TestHeap::kMarkKey), objects[2]);
  EXPECT_EQ(cache_.Pop(c, TestHeap::kMarkKey), nullptr);
  EXPECT_EQ(cache_.Pop(c, TestHeap::kMarkKey), nullptr) << "until it is taken away";
  EXPECT_EQ(cache_.PopSmashed(c), objects[1]);
  EXPECT_EQ(cache_.Pop(c, TestHeap::kMarkKey), objects[0]);
  EXPECT_EQ(cache_.cached_count(c), cached - 3);
}

TEST_P(ThreadCacheTest, AnUnusedClassGoesHomeAndItsCapacityIsHalved) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  const auto objects = PopMany(c, 2 * most);
  for (FreeObject* object : objects) Push(c, object);
  const PageCount enough = heap().transfer(c).patience();
  // Wraps on the way.
  PageCount now = {UINT32_MAX - enough.value};
  ListFault fault;
  const auto after = [&](PageCount pages) {
    now = now + pages;
    cache_.ReturnUnused(c, now, heap().transfer(c), &fault);
    return cache_.cached_count(c);
  };
  EXPECT_GT(after(enough), most) << "it was just used";
  FreeObject* const used = Pop(c);
  EXPECT_GT(after(enough), most);
  EXPECT_GT(after(enough - PageCount{1}), most) << "that was not enough";
  const size_t elsewhere = heap().transfer(c).cached_count();
  EXPECT_EQ(after({1}), 0U);
  EXPECT_EQ(Out(c), elsewhere + 1) << "home is the central list";
  EXPECT_EQ(Capacity(c), most / 2);
  after(enough);
  after(enough);
  EXPECT_EQ(Capacity(c), most / 2) << "nothing is left to return";
  EXPECT_FALSE(fault);
  Push(c, used);
  EXPECT_EQ(Pop(c), used);
  heap().Check();
}

TEST_P(ThreadCacheTest, WhatIsWantedSoonAfterItWentHomeStaysLonger) {
  const SizeClass c = ClassOfSize(64);
  TransferCache& transfer = heap().transfer(c);
  for (FreeObject* object : PopMany(c, 9)) Push(c, object);
  const PageCount patience = transfer.patience();
  ListFault fault;
  cache_.ReturnUnused(c, {1}, transfer, &fault);
  cache_.ReturnUnused(c, patience + PageCount{1}, transfer, &fault);
  ASSERT_EQ(cache_.cached_count(c), 0U);
  ThreadCache other;
  ASSERT_TRUE(other.Refill(c, transfer));
  EXPECT_EQ(transfer.patience(), patience) << "the other one could not have had them";
  Pop(c);
  EXPECT_EQ(transfer.patience(), patience + patience);
  other.Flush(heap().transfers());
}

TEST_P(ThreadCacheTest, AFlushHomeTakesNoMemory) {
  const SizeClass c = ClassOfSize(64);
  for (FreeObject* object : PopMany(c, 600)) Push(c, object);
  // Uses up what is committed of the metadata.
  heap().os().FailFromNth(1);
  while (heap().metadata().Allocate(64) != nullptr) {
  }
  const int calls = heap().os().calls();
  EXPECT_FALSE(cache_.Flush(heap().transfers(), true));
  EXPECT_EQ(heap().os().calls(), calls);
  EXPECT_EQ(Out(c), heap().transfer(c).cached_count());
  heap().os().Heal();
  heap().Check();
}

TEST_P(ThreadCacheTest, AClassThatIsAsItWasButWasUsedIsNotUnused) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  ListFault fault;
  PageCount now;
  const auto look = [&] {
    now = now + heap().transfer(c).patience();
    cache_.ReturnUnused(c, now, heap().transfer(c), &fault);
  };
  for (FreeObject* object : PopMany(c, 3 * most)) Push(c, object);
  look();
  // The spare comes to be used and becomes the spare again.
  for (int round = 0; round < 5; ++round) {
    for (FreeObject* object : PopMany(c, most + 1)) Push(c, object);
    look();
  }
  EXPECT_GE(cache_.cached_count(c), most) << "used in every round";
  look();
  EXPECT_EQ(cache_.cached_count(c), 0U);
}

TEST_P(ThreadCacheTest, AFaultInAnUnusedClassIsNoted) {
  const SizeClass c = ClassOfSize(64);
  const auto objects = PopMany(c, 5);
  for (FreeObject* object : objects) Push(c, object);
  EXPECT_FALSE(heap().central(c).Return(&objects[2], 1));
  ListFault fault;
  cache_.ReturnUnused(c, {}, heap().transfer(c), &fault);
  cache_.ReturnUnused(c, heap().transfer(c).patience(), heap().transfer(c), &fault);
  EXPECT_EQ(fault.object, objects[2]) << "it is in already";
  EXPECT_EQ(Out(c), 0U);
  heap().Check();
}

TEST_P(ThreadCacheTest, FlushGivesEverythingHome) {
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    auto objects = PopMany(c, 2 * kSizeClasses[c].max_cached + 1);
    for (FreeObject* object : objects) Push(c, object);
  }
  EXPECT_FALSE(cache_.Flush(heap().transfers()));
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    EXPECT_EQ(cache_.cached_count(c), 0U);
    EXPECT_EQ(cache_.room(c), 0U) << "as a new one";
    EXPECT_EQ(heap().transfer(c).cached_count(), Out(c));
    EXPECT_FALSE(heap().transfer(c).Flush());
    EXPECT_EQ(Out(c), 0U);
  }
  EXPECT_EQ(heap().page_heap().stats().small_bytes, 0U);
  heap().Check();
  EXPECT_NE(Pop(1), nullptr) << "and it can be used again";
}

TEST_P(ThreadCacheTest, FlushReportsTheFirstFault) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  auto objects = PopMany(c, 2 * most);
  for (FreeObject* object : objects) Push(c, object);
  // The transfer cache must be full, so that magazines are taken apart.
  ListFault fault;
  for (int i = 0; i < 200; ++i) {
    heap().transfer(c).Give(MagazineOf(heap(), FetchFrom(heap().central(c), 1)), &fault);
  }
  EXPECT_FALSE(heap().central(c).Return(&objects.back(), 1));
  const ListFault found = cache_.Flush(heap().transfers());
  EXPECT_EQ(found.object, objects.back());
  heap().Check();
}

TEST_P(ThreadCacheTest, WithoutMemoryForMagazinesObjectsGoHome) {
  const SizeClass c = ClassOfSize(64);
  const uint32_t most = kSizeClasses[c].max_cached;
  std::vector<FreeObject*> objects;
  ListFault fault;
  while (objects.size() < 4 * most) {
    const auto some = FetchFrom(heap().central(c), most);
    objects.insert(objects.end(), some.begin(), some.end());
  }
  // Uses up what is committed of the metadata.
  heap().os().FailFromNth(1);
  while (heap().magazines().Acquire(1) != nullptr) {
  }
  EXPECT_FALSE(cache_.MakeRoom(c, heap().transfer(c), &fault)) << "not even the first one";
  heap().os().Heal();
  Push(c, objects[0]);
  heap().os().FailFromNth(1);
  while (heap().magazines().Acquire(1) != nullptr) {
  }
  for (size_t i = 1; i < objects.size(); ++i) Push(c, objects[i]);
  EXPECT_EQ(Out(c), cache_.cached_count(c));
  EXPECT_LT(Out(c), objects.size());
  heap().os().Heal();
  heap().Check();
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
