// The heap of the process: what it says about any pointer, its figures, threads, and fork.
#include "allocator/heap/heap.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/fast_path/fast_path.h"
#include "tests/support/needs.h"

namespace prairie {
namespace {

char* New(size_t size) {
  void* const object = Allocate(size);
  EXPECT_NE(object, nullptr) << size;
  return static_cast<char*>(object);
}
void Delete(void* pointer) { Free(pointer, Call::kFree); }

Lookup::Kind KindOf(const void* pointer) { return heap.Find(pointer).kind; }

// Whatever earlier tests left in caches goes home.
class HeapTest : public testing::Test {
 protected:
  void SetUp() override { heap.Trim(Release::kMemory); }
};

TEST_F(HeapTest, PointersFromElsewhereAreForeign) {
  ASSERT_TRUE(heap.EnsureInitialized());
  static int in_data;
  int on_stack;
  void* const from_libc = malloc(10);
  EXPECT_EQ(KindOf(nullptr), Lookup::kNull);
  EXPECT_EQ(KindOf(&in_data), Lookup::kForeign);
  EXPECT_EQ(KindOf(&on_stack), Lookup::kForeign);
  EXPECT_EQ(KindOf(from_libc), Lookup::kForeign);
  EXPECT_EQ(KindOf(reinterpret_cast<void*>(&KindOf)), Lookup::kForeign);
  for (const uintptr_t address :
       {uintptr_t{1}, uintptr_t{16}, UINTPTR_MAX, UINTPTR_MAX - 15, ~(UINTPTR_MAX / 2),
        heap.arena().base() - 1, heap.arena().base() - 16, heap.arena().base() + fast.extent,
        heap.arena().base() + heap.arena().window()}) {
    EXPECT_EQ(KindOf(reinterpret_cast<void*>(address)), Lookup::kForeign) << std::hex << address;
  }
  free(from_libc);
}

TEST_F(HeapTest, EveryAddressInASmallObject) {
  for (const size_t size : {1, 16, 24, 100, 448, 1000, 5000, 32768}) {
    char* const object = New(size);
    const size_t whole = kSizeClasses[ClassOfSize(size)].size;
    const Lookup found = heap.Find(object);
    EXPECT_EQ(found.kind, Lookup::kObject);
    EXPECT_EQ(found.object, reinterpret_cast<uintptr_t>(object));
    EXPECT_EQ(found.size, whole);
    ASSERT_NE(found.span, nullptr);
    EXPECT_EQ(found.span->kind, SpanKind::kSmall);
    for (size_t i = 1; i < whole; ++i) {
      const Lookup inside = heap.Find(object + i);
      ASSERT_EQ(inside.kind, Lookup::kInterior) << size << " + " << i;
      ASSERT_EQ(inside.object, reinterpret_cast<uintptr_t>(object));
      const Lookup containing = heap.FindContaining(object + i);
      ASSERT_EQ(containing.kind, Lookup::kObject);
      ASSERT_EQ(containing.object, reinterpret_cast<uintptr_t>(object));
      ASSERT_EQ(containing.size, whole);
    }
    Delete(object);
  }
}

TEST_F(HeapTest, AFreedSmallObjectIsFreeWhereverItLies) {
  char* const object = New(200);
  char* const neighbour = New(200);  // Keeps the span.
  Delete(object);
  EXPECT_EQ(KindOf(object), Lookup::kFree) << "in the thread's cache";
  EXPECT_EQ(KindOf(object + 16), Lookup::kInterior);
  EXPECT_EQ(heap.FindContaining(object + 16).kind, Lookup::kFree) << "but not in a live one";
  heap.Trim(Release::kMemory);
  EXPECT_EQ(KindOf(object), Lookup::kFree) << "in the central list";
  Delete(neighbour);
  heap.Trim(Release::kMemory);
  EXPECT_NE(KindOf(object), Lookup::kObject) << "its span is gone";
  EXPECT_NE(KindOf(object), Lookup::kInterior);
}

TEST_F(HeapTest, AnObjectInAPageWithoutMemoryIsFree) {
  std::vector<char*> objects(2000);
  for (char*& object : objects) object = New(1000);
  char* const stays = objects.back();
  objects.pop_back();
  for (char* const object : objects) Delete(object);
  heap.Trim(Release::kMemory);
  const Span* const span = heap.Find(stays).span;
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(KindOf(stays), Lookup::kObject);
  if (heap.OsPageSize() <= kPageSize) {
    EXPECT_GT(span->idle.released, 0U);
  }
  int free = 0;
  for (char* const object : objects) {
    if (heap.AddressOf(span) > reinterpret_cast<uintptr_t>(object) || object > stays) continue;
    ++free;
    ASSERT_EQ(KindOf(object), Lookup::kFree);
    ASSERT_EQ(KindOf(object + 24), Lookup::kInterior);
    ASSERT_EQ(heap.FindContaining(object + 24).kind, Lookup::kFree);
  }
  EXPECT_GT(free, 8);
  for (char*& object : objects) {
    object = New(1000);
    memset(object, 7, 1000);
  }
  for (char* const object : objects) Delete(object);
  Delete(stays);
}

// One in eight stays, so that of many pages only a part goes back.
TEST_F(HeapTest, AnObjectBesideWhatHasNoMemoryIsAsBefore) {
  std::vector<char*> stay;
  std::vector<char*> go;
  for (int i = 0; i < 2000; ++i) {
    char* const object = New(1000);
    memset(object, 'x', 1000);
    (i % 8 == 0 ? stay : go).push_back(object);
  }
  for (char* const object : go) Delete(object);
  heap.Trim(Release::kMemory);
  for (char* const object : go) ASSERT_NE(KindOf(object), Lookup::kObject);
  for (char*& object : stay) {
    ASSERT_EQ(KindOf(object), Lookup::kObject);
    ASSERT_EQ(KindOf(object + 24), Lookup::kInterior);
    ASSERT_EQ(UsableSize(object), kSizeClasses[ClassOfSize(1000)].size);
    object = static_cast<char*>(Reallocate(object, 3000));
    ASSERT_TRUE(std::all_of(object, object + 1000, [](char each) { return each == 'x'; }));
    Delete(object);
    ASSERT_EQ(KindOf(object), Lookup::kFree);
  }
}

TEST_F(HeapTest, ASlotThatWasNeverHandedOutIsWild) {
  const size_t size = 3000;
  char* const object = New(size);
  const Lookup found = heap.Find(object);
  const uintptr_t first = heap.AddressOf(found.span) + found.span->first_slot;
  ASSERT_LT(found.span->carved, found.span->slots);
  const uintptr_t never = first + size_t{found.span->carved} * found.size;
  EXPECT_EQ(KindOf(reinterpret_cast<void*>(never)), Lookup::kWild);
  EXPECT_EQ(KindOf(reinterpret_cast<void*>(never + 8)), Lookup::kWild);
  Delete(object);
}

TEST_F(HeapTest, EveryPageOfALargeObject) {
  for (const size_t size : {kMaxSmallSize + 1, size_t{100000}, 3 * kMiB}) {
    char* const object = New(size);
    const Lookup found = heap.Find(object);
    EXPECT_EQ(found.kind, Lookup::kObject);
    EXPECT_EQ(found.size,
              RoundUp(size, heap.OsPageSize() > kPageSize ? heap.OsPageSize() : kPageSize));
    for (size_t i = 1; i < found.size; i += 4095) {
      ASSERT_EQ(KindOf(object + i), Lookup::kInterior) << i;
      ASSERT_EQ(heap.FindContaining(object + i).object, reinterpret_cast<uintptr_t>(object));
    }
    Delete(object);
    EXPECT_EQ(KindOf(object), Lookup::kFree);
    EXPECT_EQ(KindOf(object + kPageSize), Lookup::kWild);
    EXPECT_EQ(heap.FindContaining(object + 1).kind, Lookup::kWild);
  }
}

TEST_F(HeapTest, AFreePageIsWild) {
  char* const object = New(kMiB);
  Delete(object);
  // Somewhere in what is free now there is a page that never began anything.
  EXPECT_EQ(KindOf(object + 512 * kKiB + 64), Lookup::kWild);
  const uintptr_t last = heap.arena().base() + fast.extent - 1;
  // In 32 bits it may be anybody's, as long as it is not mapped.
  if (!kNarrowAddresses) {
    EXPECT_NE(KindOf(reinterpret_cast<void*>(last)), Lookup::kForeign);
  }
}

TEST_F(HeapTest, FiguresAreExactAndReturnToWhereTheyWere) {
  const HeapStats before = heap.Stats();
  std::vector<void*> objects;
  size_t bytes = 0, large = 0;
  for (size_t size = 0; size < 100000; size += 37 + size / 16) {
    void* const object = New(size);
    objects.push_back(object);
    bytes += UsableSize(object);
    if (size > kMaxSmallSize) large += UsableSize(object);
  }
  const HeapStats during = heap.Stats();
  EXPECT_EQ(during.allocated_count - before.allocated_count, objects.size());
  EXPECT_EQ(during.allocated_bytes - before.allocated_bytes, bytes);
  EXPECT_EQ(during.pages.large_bytes - before.pages.large_bytes, large);
  for (void* object : objects) Delete(object);
  const HeapStats after = heap.Stats();
  EXPECT_EQ(after.allocated_count, before.allocated_count);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
  EXPECT_GT(after.cached_bytes, 0U);
  heap.Trim(Release::kMemory);
  const HeapStats trimmed = heap.Stats();
  EXPECT_EQ(trimmed.allocated_count, before.allocated_count);
  EXPECT_EQ(trimmed.cached_bytes, 0U);
  EXPECT_EQ(trimmed.pages.free_dirty_bytes, 0U);
  heap.page_heap().CheckInvariants();
}

TEST_F(HeapTest, TrimReturnsWhatItSays) {
  void* const object = New(10 * kMiB);
  memset(object, 1, 10 * kMiB);
  Delete(object);
  const HeapStats before = heap.Stats();
  const size_t returned = heap.Trim(Release::kMemory);
  const HeapStats after = heap.Stats();
  EXPECT_EQ(after.pages.free_dirty_bytes, 0U);
  if (after.reserved) {
    EXPECT_EQ(returned, before.pages.free_dirty_bytes);
  } else {
    EXPECT_EQ(before.pages.committed_bytes - after.pages.committed_bytes, returned);
  }
  EXPECT_EQ(heap.Trim(Release::kMemory), 0U);
}

TEST_F(HeapTest, AThreadsCacheGoesHomeWhenItEnds) {
  const HeapStats before = heap.Stats();
  std::vector<void*> left(1000);
  std::thread([&] {
    for (void*& object : left) object = New(80);
    for (int i = 0; i < 500; ++i) Delete(New(300));
    EXPECT_EQ(heap.Stats().thread_count, before.thread_count + 1);
  }).join();
  const HeapStats after = heap.Stats();
  EXPECT_EQ(after.thread_count, before.thread_count);
  EXPECT_EQ(after.allocated_count, before.allocated_count + left.size());
  for (void* object : left) Delete(object);
  EXPECT_EQ(heap.Stats().allocated_count, before.allocated_count);
}

TEST_F(HeapTest, OnlyWhoFreesManyOrAllocatesHasACache) {
  const size_t threads = heap.Stats().thread_count;
  std::vector<void*> objects(1000);
  for (size_t i = 0; i < objects.size(); ++i) objects[i] = New(1 + i % 100);
  for (const bool allocates : {false, true}) {
    std::thread([&] {
      for (int i = 0; i < 16; ++i) {
        Delete(objects.back());
        EXPECT_EQ(KindOf(objects.back()), Lookup::kFree);
        objects.pop_back();
      }
      EXPECT_EQ(heap.Stats().thread_count, threads);
      if (allocates) Delete(New(1));
      for (; !allocates && objects.size() > 500; objects.pop_back()) Delete(objects.back());
      EXPECT_EQ(heap.Stats().thread_count, threads + 1);
    }).join();
  }
  for (void* object : objects) Delete(object);
}

TEST_F(HeapTest, WhatABurstLeftBetweenThreadsGoesHomeWhenNobodyNeedsIt) {
  const HeapStats before = heap.Stats();
  std::thread([] {
    std::vector<void*> objects(20000);
    for (size_t i = 0; i < objects.size(); ++i) objects[i] = New(16 + i % 1000);
    for (void* object : objects) Delete(object);
  }).join();
  const HeapStats after = heap.Stats();
  // Under a limit of address space caches are small.
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  const size_t some = limit.rlim_cur == RLIM_INFINITY ? kMiB : 0;
  EXPECT_GT(after.cached_bytes, before.cached_bytes + some);
  // Far ahead of the clock, so that nobody else does it.
  uint64_t now = MonotonicMilliseconds() + 1'000'000;
  const auto epoch = [&now] {
    for (int call = 0; call < 2 * kSizeClassCount; ++call) heap.ReturnIdle(now, false);
    now += kEpochMilliseconds;
  };
  epoch();
  EXPECT_EQ(heap.Stats().cached_bytes, after.cached_bytes) << "it has just come";
  now -= 1;
  epoch();
  EXPECT_EQ(heap.Stats().cached_bytes, after.cached_bytes) << "the epoch is not over";
  epoch();
  const size_t half = heap.Stats().cached_bytes;
  EXPECT_LE(half - before.cached_bytes, (after.cached_bytes - before.cached_bytes) * 2 / 3);
  for (int i = 0; i < 6; ++i) epoch();
  EXPECT_EQ(heap.Stats().cached_bytes, before.cached_bytes);
  EXPECT_LT(heap.Stats().pages.small_bytes, after.pages.small_bytes) << "and spans became free";
  heap.page_heap().CheckInvariants();
}

TEST_F(HeapTest, WhatLiesBetweenThreadsIsAShareOfTheHeap) {
  constexpr size_t kSizes = 24;
  const HeapStats before = heap.Stats();
  std::vector<void*> objects;
  for (size_t i = 1; i <= kSizes; ++i) {
    for (size_t bytes = 0; bytes < 2 * kMiB; bytes += i * 128) objects.push_back(New(i * 128));
  }
  for (void* object : objects) Delete(object);
  const HeapStats after = heap.Stats();
  const size_t share = std::max(after.pages.frontier_bytes / 16, 16 * kMiB);
  const size_t in_this_thread = kSizes * 2 * 32 * kKiB;
  EXPECT_LE(after.cached_bytes, before.cached_bytes + share + in_this_thread);
  heap.page_heap().CheckInvariants();
}

// What is too much goes home from the newest on: what was freed first goes last, with its span.
TEST_F(HeapTest, OfWhatIsTooMuchTheNewestGoesHome) {
  constexpr size_t kSizes = 24;
  const auto is_home = [](const void* object) {
    const Lookup found = heap.Find(object);
    return found.span == nullptr || found.span->kind == SpanKind::kUnused;
  };
  int kept = 0;
  int wrong = 1;
  // A class that an epoch's end meets gives up its oldest ones: then once more.
  for (int attempt = 0; attempt < 10 && wrong > 0; ++attempt) {
    heap.Trim(Release::kMemory);
    std::vector<void*> objects;
    std::vector<size_t> starts;  // of each class
    for (size_t i = 1; i <= kSizes; ++i) {
      const size_t size = i * 128;
      if (ClassOfSize(size) != ClassOfSize(size - 128)) starts.push_back(objects.size());
      for (size_t bytes = 0; bytes < 2 * kMiB; bytes += size) objects.push_back(New(size));
    }
    for (void* object : objects) Delete(object);
    kept = wrong = 0;
    for (size_t k = 0; k + 1 < starts.size(); ++k) {
      const size_t middle = (starts[k] + starts[k + 1]) / 2;
      if (!is_home(objects[starts[k]])) ++kept;
      if (is_home(objects[starts[k]]) && !is_home(objects[middle])) ++wrong;
    }
  }
  EXPECT_EQ(wrong, 0) << "classes gave up what came first, and not what came later";
  EXPECT_GT(kept, 0);
  EXPECT_LT(heap.Stats().pages.small_bytes, kSizes * 2 * kMiB) << "something went home";
}

TEST_F(HeapTest, WhatIsOfNoUseGoesHomeWhilePagesAreHandedOut) {
  std::vector<void*> objects(30000);
  for (void*& object : objects) object = New(48);
  for (void* object : objects) Delete(object);
  const size_t cached = heap.Stats().cached_bytes;
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  EXPECT_GT(cached, limit.rlim_cur == RLIM_INFINITY ? kMiB : 0);
  // Some other size goes round and round without a new page.
  for (int round = 0; round < 20; ++round) {
    for (size_t i = 0; i < 2000; ++i) objects[i] = New(112);
    for (size_t i = 0; i < 2000; ++i) Delete(objects[i]);
  }
  EXPECT_GE(heap.Stats().cached_bytes, cached) << "nobody could have used the memory";
  for (void*& object : objects) object = New(400);
  // Where caches are small, there is little to see.
  EXPECT_LT(heap.Stats().cached_bytes, cached / 4 + 64 * kKiB);
  for (void* object : objects) Delete(object);
}

TEST_F(HeapTest, LargeBlocksWantPagesToo) {
  std::vector<void*> objects(30000);
  for (void*& object : objects) object = New(48);
  for (void* object : objects) Delete(object);
  const size_t cached = heap.Stats().cached_bytes;
  objects.resize(300);
  for (void*& object : objects) object = New(64 * kKiB);
  EXPECT_LT(heap.Stats().cached_bytes, cached / 2 + 64 * kKiB);
  for (void* object : objects) Delete(object);
}

TEST_F(HeapTest, ThreadsThatEndLeaveNoMoreThanTheShare) {
  PRAIRIE_NEEDS_MEMORY(256, "12 threads with two magazines of each class");
  constexpr int kThreads = 12;
  std::barrier all_have_freed(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      // Two magazines of each class, with which it ends when nobody makes another slow call.
      std::vector<void*> objects;
      for (int c = 1; c < kSizeClassCount; ++c) {
        for (uint32_t n = 0; n < 2 * kSizeClasses[c].max_cached; ++n) {
          objects.push_back(New(kSizeClasses[c].size));
        }
      }
      for (void* object : objects) Delete(object);
      all_have_freed.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const HeapStats now = heap.Stats();
  const size_t share = std::max(now.pages.frontier_bytes / 16, 16 * kMiB);
  const size_t in_this_thread = kSizeClassCount * 2 * 32 * kKiB;
  EXPECT_LE(now.cached_bytes, share + in_this_thread);
}

// A destructor of thread-specific data may run after the cache's own.
TEST_F(HeapTest, AThreadMayAllocateAndFreeInItsLastDestructors) {
  static pthread_key_t key;
  static std::atomic<int> rounds;
  const size_t before = heap.Stats().allocated_count;
  ASSERT_EQ(pthread_key_create(&key,
                               [](void* value) {
                                 Delete(value);
                                 Delete(New(1000));
                                 if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS)
                                   pthread_setspecific(key, New(50));
                               }),
            0);
  std::thread([] { pthread_setspecific(key, New(50)); }).join();
  EXPECT_EQ(rounds, PTHREAD_DESTRUCTOR_ITERATIONS);
  pthread_key_delete(key);
  EXPECT_EQ(heap.Stats().allocated_count, before);
}

TEST_F(HeapTest, AChildOfAThreadedParentMayAllocateAtOnce) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&stop, t] {
      std::vector<void*> objects;
      for (unsigned i = 0; !stop; ++i) {
        objects.push_back(Allocate((i * 131 + static_cast<unsigned>(t)) % 50000));
        if (objects.size() > 200) {
          for (void* object : objects) Delete(object);
          objects.clear();
        }
      }
      for (void* object : objects) Delete(object);
    });
  }
  for (int round = 0; round < 30; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // A lock held by a thread that does not exist here would be waited for, for ever.
      for (int i = 0; i < 300; ++i) Delete(New(static_cast<size_t>(i) * 200));
      heap.Trim(Release::kMemory);
      heap.page_heap().CheckInvariants();
      _exit(heap.Stats().thread_count == 1 ? 0 : 1);
    }
    ASSERT_GT(child, 0);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << "round " << round;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HeapTest, SizesBeyondTheWindowGiveNull) {
  for (const size_t size :
       {heap.arena().window() + 1, kNarrowAddresses ? SIZE_MAX - kMiB : kMaxObjectSize,
        kNarrowAddresses ? SIZE_MAX - kMiB : kMaxObjectSize + 1, SIZE_MAX - 1, SIZE_MAX}) {
    EXPECT_EQ(heap.AllocateLarge(size, 1), nullptr) << size;
    EXPECT_EQ(heap.AllocateLarge(size, 4096), nullptr) << size;
  }
  // In 32 bits every power of two is an address's alignment.
  if (!kNarrowAddresses) {
    EXPECT_EQ(heap.AllocateLarge(1, heap.arena().window() * 2), nullptr);
    EXPECT_EQ(heap.AllocateLarge(1, ~(SIZE_MAX / 2)), nullptr);
  }
  heap.page_heap().CheckInvariants();
}

// A thread without a cache takes what the central list has, which does not look at it.
TEST_F(HeapTest, WhatWasWrittenToIsNotHandedOutToAThreadWithoutACache) {
  const size_t size = 2560;
  const SizeClass c = ClassOfSize(size);
  FreeObject* const smashed = heap.AllocateUncached(c, size);
  FreeObject* const other = heap.AllocateUncached(c, size);
  ASSERT_NE(smashed, nullptr);
  ASSERT_NE(other, nullptr);
  smashed->mark = other->mark = 0;
  heap.FreeUncached(smashed, c);
  const uintptr_t self = smashed->self;
  EXPECT_DEATH(
      {
        smashed->self = ~self;
        for (int i = 0; i < 100; ++i) heap.AllocateUncached(c, size);
      },
      "smashed free list: malloc: object .* was written after it was freed");
  EXPECT_EQ(heap.AllocateUncached(c, size), smashed) << "nothing was written to it here";
  smashed->mark = 0;
  heap.FreeUncached(smashed, c);
  heap.FreeUncached(other, c);
  heap.page_heap().CheckInvariants();
}

}  // namespace
}  // namespace prairie
