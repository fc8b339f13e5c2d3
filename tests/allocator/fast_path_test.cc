// The malloc family below its C conventions: every size, every alignment, every way of realloc.
#include "allocator/fast_path/fast_path.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/support/libc_calls.h"

namespace prairie {
namespace {

class FastPathTest : public testing::Test {
 protected:
  void SetUp() override { before_ = heap.Stats().allocated_count; }
  // Every test gives back what it took.
  void TearDown() override {
    EXPECT_EQ(heap.Stats().allocated_count, before_);
    heap.page_heap().CheckInvariants();
  }

  static char* New(size_t size) {
    void* const object = Allocate(size);
    EXPECT_NE(object, nullptr) << size;
    return static_cast<char*>(object);
  }
  static void Delete(void* pointer) { Free(pointer, Call::kFree); }
  static void Fill(char* object, size_t size) {
    for (size_t i = 0; i < size; ++i) object[i] = static_cast<char>(i * 7 + 3);
  }
  static bool IsFilled(const char* object, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      if (object[i] != static_cast<char>(i * 7 + 3)) return false;
    }
    return true;
  }
  static bool IsZero(const char* object, size_t size) {
    return std::all_of(object, object + size, [](char byte) { return byte == 0; });
  }

 private:
  size_t before_ = 0;
};

TEST(EmptyThreadCacheTest, HasNothingBeforeTheHeapIsInitialized) {
  static constinit ThreadCache cache;
  for (int c = 0; c < kSizeClassCount; ++c)
    EXPECT_EQ(cache.Pop(static_cast<size_t>(c), 0), nullptr);
}

TEST_F(FastPathTest, ObjectsOfEverySizeAreAlignedHoldTheirSizeAndDoNotOverlap) {
  std::vector<std::pair<char*, size_t>> objects;
  for (size_t size = 0; size <= 40000; size += size < 2000 ? 1 : 97) {
    char* const object = New(size);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(object) % 16, 0U);
    ASSERT_GE(UsableSize(object), size);
    memset(object, static_cast<int>(size % 251), UsableSize(object));
    objects.emplace_back(object, size);
  }
  for (const auto& [object, size] : objects) {
    const char expected = static_cast<char>(size % 251);
    ASSERT_TRUE(std::all_of(object, object + UsableSize(object), [=](char byte) {
      return byte == expected;
    })) << size;
    Delete(object);
  }
}

TEST_F(FastPathTest, ObjectsOfSizeZeroAreDistinct) {
  char* const first = New(0);
  char* const second = New(0);
  EXPECT_NE(first, second);
  EXPECT_EQ(UsableSize(first), 16U);
  Delete(first);
  Delete(second);
}

// free looks at the lower half of a mark only, and the slow half at the rest.
TEST_F(FastPathTest, WhatOnlyLooksAsIfItWereFreeIsNot) {
  for (int i = 0; i < 3; ++i) {
    auto* const object = reinterpret_cast<FreeObject*>(New(64));
    object->self = 0;
    object->mark = object->FreeMark(fast.mark_key) ^ ~uintptr_t{UINT32_MAX};
    if (sizeof(uintptr_t) == sizeof(uint32_t)) object->mark ^= 1;
    EXPECT_EQ(UsableSize(object), 64U);
    void* const grown = i == 0 ? object : Reallocate(object, i == 1 ? 64 : 1000);
    EXPECT_EQ(grown == object, i != 2);
    Delete(grown);
  }
}

TEST_F(FastPathTest, NullIsFreedWithoutEffect) {
  errno = EDOM;
  Delete(nullptr);
  EXPECT_EQ(errno, EDOM);
}

TEST_F(FastPathTest, AllocateAlignedForEveryAlignmentAndManySizes) {
  for (size_t alignment = 1; alignment <= 16 * kMiB; alignment *= 2) {
    for (const size_t size :
         {size_t{0}, size_t{1}, size_t{17}, size_t{100}, alignment - 1, alignment, alignment + 1,
          size_t{5000}, kMaxSmallSize, kMaxSmallSize + 1, size_t{100000}}) {
      char* const object = static_cast<char*>(AllocateAligned(size, alignment));
      ASSERT_NE(object, nullptr) << size << " at " << alignment;
      ASSERT_EQ(reinterpret_cast<uintptr_t>(object) % alignment, 0U) << size;
      ASSERT_GE(UsableSize(object), size);
      memset(object, 1, size);
      Delete(object);
    }
  }
}

TEST_F(FastPathTest, ManyAlignedObjectsAtOnce) {
  for (const size_t alignment : {32, 64, 256, 4096, 65536}) {
    std::vector<char*> objects;
    for (size_t i = 0; i < 100; ++i) {
      objects.push_back(static_cast<char*>(AllocateAligned(i * 40, alignment)));
      ASSERT_NE(objects.back(), nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(objects.back()) % alignment, 0U);
      memset(objects.back(), static_cast<int>(i), i * 40);
    }
    for (size_t i = 0; i < 100; ++i) {
      for (size_t k = 0; k < i * 40; ++k) ASSERT_EQ(objects[i][k], static_cast<char>(i));
      Delete(objects[i]);
    }
  }
}

TEST_F(FastPathTest, ImpossibleAlignmentsGiveNull) {
  EXPECT_EQ(AllocateAligned(kMaxObjectSize, kMaxObjectSize + 1), nullptr);
  EXPECT_EQ(AllocateAligned(SIZE_MAX, 4096), nullptr);
  EXPECT_EQ(AllocateAligned(SIZE_MAX - 4095, 4096), nullptr);
  EXPECT_EQ(AllocateAligned(kMaxObjectSize, size_t{1} << (kNarrowAddresses ? 30 : 40)), nullptr);
}

TEST_F(FastPathTest, ZeroedMemoryIsZeroEvenWhereItWasUsed) {
  for (const size_t size : {size_t{1}, size_t{16}, size_t{1000}, kMaxSmallSize, kMaxSmallSize + 1,
                            size_t{200000}, 3 * kMiB}) {
    for (int round = 0; round < 3; ++round) {
      char* const object = static_cast<char*>(AllocateZeroed(size));
      ASSERT_NE(object, nullptr);
      ASSERT_TRUE(IsZero(object, size)) << size << " round " << round;
      memset(object, 0xff, UsableSize(object));
      Delete(object);
    }
  }
}

TEST_F(FastPathTest, MuchZeroedMemoryIsNoneUntilItIsUsed) {
  constexpr size_t kSize = 48 * kMiB;
  for (int round = 0; round < 2; ++round) {
    char* const object = static_cast<char*>(AllocateZeroed(kSize));
    ASSERT_NE(object, nullptr);
    const size_t page = heap.OsPageSize();
    std::vector<unsigned char> resident(kSize / page);
    ASSERT_EQ(mincore(object, kSize, resident.data()), 0);
    EXPECT_EQ(std::count_if(resident.begin(), resident.end(), [](int flags) { return flags & 1; }),
              0);
    ASSERT_TRUE(IsZero(object, kSize));
    memset(object, 0xff, kSize);
    Delete(object);
  }
}

TEST_F(FastPathTest, ZeroedMemoryIsZeroThoughSomeOfItIsLocked) {
  constexpr size_t kSize = 48 * kMiB;
  char* const object = New(kSize);
  memset(object, 0xff, kSize);
  char* const locked = object + 20 * kMiB;
  if (mlock(locked, 1) != 0) {
    Delete(object);
    GTEST_SKIP() << "RLIMIT_MEMLOCK";
  }
  Delete(object);
  char* const zeroed = static_cast<char*>(AllocateZeroed(kSize));
  ASSERT_NE(zeroed, nullptr);
  EXPECT_TRUE(IsZero(zeroed, kSize));
  munlock(locked, 1);
  Delete(zeroed);
}

TEST_F(FastPathTest, ReallocateKeepsTheContentsBetweenAnyTwoSizes) {
  const size_t sizes[] = {1,
                          15,
                          16,
                          17,
                          100,
                          128,
                          129,
                          1000,
                          5000,
                          kMaxSmallSize,
                          kMaxSmallSize + 1,
                          40000,
                          65536,
                          100000,
                          300000,
                          kMiB,
                          5 * kMiB};
  for (const size_t from : sizes) {
    for (const size_t to : sizes) {
      char* const object = New(from);
      Fill(object, from);
      char* const moved = static_cast<char*>(Reallocate(object, to));
      ASSERT_NE(moved, nullptr);
      ASSERT_TRUE(IsFilled(moved, std::min(from, to))) << from << " to " << to;
      ASSERT_GE(UsableSize(moved), to);
      Fill(moved, to);
      ASSERT_TRUE(IsFilled(moved, to));
      Delete(moved);
    }
  }
}

TEST_F(FastPathTest, ReallocateStaysWhereItCan) {
  char* const small = New(1000);
  EXPECT_EQ(Reallocate(small, 1020), small) << "within its class";
  EXPECT_EQ(Reallocate(small, 600), small) << "not much smaller";
  char* const smaller = static_cast<char*>(Reallocate(small, 100));
  EXPECT_NE(smaller, small);
  EXPECT_LT(UsableSize(smaller), 200U);
  Delete(smaller);

  char* const large = New(400 * kKiB);
  EXPECT_EQ(Reallocate(large, 390 * kKiB), large);
  EXPECT_EQ(Reallocate(large, 100 * kKiB), large) << "shrinks in place";
  EXPECT_LT(UsableSize(large), 200 * kKiB) << "and gives the rest back";
  EXPECT_EQ(Reallocate(large, 300 * kKiB), large) << "grows into free pages";
  Delete(large);
}

TEST_F(FastPathTest, AGrowingObjectMovesSeldom) {
  char* object = New(64);
  Fill(object, 64);
  int moves = 0;
  size_t size = 64;
  while (size < 32 * kMiB) {
    // Something small in between, as in a program.
    char* const other = New(50000);
    const size_t larger = size + size / 16 + 16;
    char* const grown = static_cast<char*>(Reallocate(object, larger));
    ASSERT_NE(grown, nullptr);
    ASSERT_TRUE(IsFilled(grown, size));
    if (grown != object) ++moves;
    for (size_t i = size; i < larger; ++i) grown[i] = static_cast<char>(i * 7 + 3);
    object = grown;
    size = larger;
    Delete(other);
  }
  EXPECT_LT(moves, 110);
  Delete(object);
}

TEST_F(FastPathTest, AWalledInLargeObjectIsMovedNotLost) {
  char* object = New(2 * kMiB);
  Fill(object, 2 * kMiB);
  std::vector<char*> walls;
  for (size_t size = 2 * kMiB; size < 40 * kMiB; size *= 2) {
    walls.push_back(New(40000));
    char* const moved = static_cast<char*>(Reallocate(object, size * 2));
    ASSERT_NE(moved, nullptr);
    ASSERT_TRUE(IsFilled(moved, size));
    Fill(moved, size * 2);
    object = moved;
  }
  Delete(object);
  for (char* wall : walls) Delete(wall);
}

TEST_F(FastPathTest, AReallocateThatCannotBeLeavesTheObject) {
  for (const size_t size : {size_t{100}, size_t{100000}}) {
    char* const object = New(size);
    Fill(object, size);
    errno = EDOM;
    EXPECT_EQ(Reallocate(object, heap.arena().window() + 1), nullptr);
    EXPECT_EQ(Reallocate(object, SIZE_MAX), nullptr);
    EXPECT_EQ(errno, EDOM) << "errno is the caller's business";
    EXPECT_TRUE(IsFilled(object, size));
    EXPECT_EQ(heap.Find(object).kind, Lookup::kObject);
    Delete(object);
  }
}

TEST_F(FastPathTest, WhatExceedsMemoryAndSwapAtOnceIsRefused) {
  if (kNarrowAddresses) GTEST_SKIP() << "more than there are addresses";
  if (!RefusesMoreThanMemory()) GTEST_SKIP() << "vm.overcommit_memory is not 0";
  struct sysinfo info;
  ASSERT_EQ(sysinfo(&info), 0);
  const size_t all = (info.totalram + info.totalswap) * info.mem_unit;
  const size_t too_much = std::max(all, kGiB) + 100 * kMiB;
  ASSERT_LT(too_much, heap.arena().window());
  // Until the reason is looked up again.
  std::this_thread::sleep_for(std::chrono::milliseconds(FailureLog::kPeriodMilliseconds + 50));
  const size_t failures = heap.LastFailure().count;
  EXPECT_EQ(Allocate(too_much), nullptr);
  EXPECT_EQ(AllocateZeroed(too_much), nullptr);
  EXPECT_EQ(AllocateAligned(too_much, 2 * kMiB), nullptr);
  for (const size_t size : {size_t{100}, size_t{100000}}) {
    char* const object = New(size);
    Fill(object, size);
    EXPECT_EQ(Reallocate(object, too_much), nullptr);
    EXPECT_TRUE(IsFilled(object, size));
    Delete(object);
  }
  EXPECT_EQ(heap.LastFailure().count, failures + 5);
  if (LinuxMemory().AddressSpaceLimit() != SIZE_MAX) return;  // Which may be less.
  EXPECT_EQ(heap.LastFailure().finding.limit, MemoryLimit::kOvercommit);
}

TEST_F(FastPathTest, ErrnoIsKeptByAllOfThem) {
  errno = EDOM;
  std::vector<void*> objects;
  for (int i = 0; i < 300; ++i) {
    objects.push_back(Allocate(64));
    objects.push_back(Allocate(50000));
    objects.push_back(AllocateAligned(100, 8192));
    objects.push_back(AllocateZeroed(40000));
    objects.back() = Reallocate(objects.back(), 90000);
  }
  for (void* object : objects) Delete(object);
  EXPECT_EQ(errno, EDOM);
}

TEST_F(FastPathTest, UsableSizeIsZeroForWhatIsNoLiveObject) {
  char* const small = New(3000);
  char* const large = New(100000);
  EXPECT_EQ(UsableSize(nullptr), 0U);
  EXPECT_EQ(UsableSize(&small), 0U);
  EXPECT_EQ(UsableSize(small + 1), 0U);
  EXPECT_EQ(UsableSize(small + 16), 0U);
  EXPECT_EQ(UsableSize(large + 16), 0U);
  EXPECT_EQ(UsableSize(large + kPageSize), 0U);
  Delete(small);
  Delete(large);
  EXPECT_EQ(UsableSize(small), 0U);
  EXPECT_EQ(UsableSize(large), 0U);
}

// The end of the last object of a span: on the slot grid, and no object has ever been there.
void* EndOfLastObject(const void* neighbour) {
  const Lookup found = heap.Find(neighbour);
  EXPECT_LT(found.span->carved, found.span->slots);
  return reinterpret_cast<void*>(heap.AddressOf(found.span) + found.span->first_slot +
                                 size_t{found.span->carved} * found.size);
}

TEST_F(FastPathTest, UsableSizeIsZeroAtTheEndOfTheLastObject) {
  char* const object = New(200);
  EXPECT_EQ(UsableSize(EndOfLastObject(object)), 0U);
  Delete(object);
}

TEST_F(FastPathTest, FreeOfTheEndOfTheLastObjectIsReported) {
  char* const object = New(200);
  void* const never = EndOfLastObject(object);
  EXPECT_EXIT(Delete(never), testing::KilledBySignal(SIGABRT), "prairie: wild pointer: free");
  Delete(object);
}

TEST_F(FastPathTest, ObjectsFreedByAnotherThreadAreUsedAgain) {
  constexpr int kRounds = 20, kObjects = 3000;
  size_t settled = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<void*> objects;
    std::thread([&] {
      for (int i = 0; i < kObjects; ++i) objects.push_back(New(static_cast<size_t>(i % 300)));
    }).join();
    for (void* object : objects) Delete(object);
    if (round == 2) settled = heap.Stats().pages.frontier_bytes;
  }
  EXPECT_EQ(heap.Stats().pages.frontier_bytes, settled);
}

// Except for the C library's table of thread-specific data, once for each thread.
TEST_F(FastPathTest, TheCLibrarysMallocIsNotCalled) {
  if (!CanCountLibcAllocations()) GTEST_SKIP() << "a sanitizer has replaced malloc";
  Delete(Allocate(1));  // So that this thread has its cache.
  const size_t before = LibcAllocations();
  for (size_t size = 0; size < 200000; size += 1 + size / 8) {
    void* object = Allocate(size);
    object = Reallocate(object, size + 100);
    Delete(object);
    Delete(AllocateAligned(size, 256));
    Delete(AllocateZeroed(size));
  }
  heap.Trim(Release::kMemory);
  EXPECT_EQ(LibcAllocations(), before);
}

}  // namespace
}  // namespace prairie
