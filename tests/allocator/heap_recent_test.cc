// The large blocks that a thread freed last: it has them again without a lock, and nobody loses by
// it.
#include <gtest/gtest.h>

#include <barrier>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "allocator/fast_path/fast_path.h"
#include "allocator/heap/heap.h"
#include "tests/support/needs.h"

namespace prairie {
namespace {

constexpr size_t kBlock = 48 * kKiB;
constexpr size_t kLarger = kMiB;  // A thread keeps none of these.

void* New(size_t size) {
  void* const block = Allocate(size);
  EXPECT_NE(block, nullptr) << size;
  return block;
}
void Delete(void* block) { Free(block, Call::kFree); }

class HeapRecentTest : public testing::Test {
 protected:
  void SetUp() override {
    PRAIRIE_NEEDS_MEMORY(128, "a second thread, with a stack of 8 MiB");
    Delete(New(16));  // So that this thread has a cache.
    heap.Trim(Release::kMemory);
  }
  void InAThread(const std::function<void()>& what) { std::thread(what).join(); }
  // Where memory is dear nothing is kept.
  static bool Keeps() { return !heap.page_heap().frugal(); }
  // The reports in `text` (on_error=report).
  static int DoubleFrees(const std::string& text) {
    int count = 0;
    for (size_t at = 0; (at = text.find("double free: free(", at)) != std::string::npos; ++at) {
      ++count;
    }
    return count;
  }
  // To the page heap what threads keep lives.
  static size_t Kept() {
    return heap.page_heap().stats().large_count - heap.Stats().pages.large_count;
  }
};

TEST_F(HeapRecentTest, AThreadHasAgainWhatItFreed) {
  InAThread([] {
    void* const block = New(kBlock);
    memset(block, 7, kBlock);
    Delete(block);
    EXPECT_EQ(Kept(), Keeps() ? 1U : 0U);
    EXPECT_EQ(heap.Find(block).kind, Lookup::kFree) << "a second free is one";
    if (Keeps()) {
      EXPECT_NE(New(2 * kBlock), block) << "another length";
      EXPECT_EQ(New(kBlock), block);
    }
    EXPECT_EQ(Kept(), 0U);
  });
}

TEST_F(HeapRecentTest, OnlyTheStartOfALiveLargeBlockIsKept) {
  InAThread([] {
    Delete(New(16));
    auto* const block = static_cast<char*>(New(kBlock));
    void* const larger = New(kLarger);
    int local = 0;
    for (const void* const wrong :
         {static_cast<const void*>(block + kGranuleSize),
          static_cast<const void*>(block + kPageSize), static_cast<const void*>(&local),
          static_cast<const void*>(nullptr), static_cast<const void*>(larger)}) {
      EXPECT_FALSE(heap.KeepLarge(wrong)) << wrong;
    }
    EXPECT_EQ(heap.KeepLarge(block), Keeps());
    EXPECT_FALSE(heap.KeepLarge(block)) << "twice";
    EXPECT_EQ(Kept(), Keeps() ? 1U : 0U);
    if (!Keeps()) Delete(block);
    Delete(larger);
  });
}

TEST_F(HeapRecentTest, ZeroedMemoryIsZero) {
  InAThread([] {
    void* const block = New(kBlock);
    memset(block, 7, kBlock);
    Delete(block);
    auto* const zeroed = static_cast<unsigned char*>(AllocateZeroed(kBlock));
    for (size_t i = 0; i < kBlock; ++i) ASSERT_EQ(zeroed[i], 0);
    Delete(zeroed);
  });
}

TEST_F(HeapRecentTest, LittleIsKept) {
  InAThread([] {
    constexpr int kBlocks = 40;
    void* blocks[kBlocks];
    for (void*& block : blocks) block = New(kBlock);
    for (void* const block : blocks) Delete(block);
    EXPECT_LE(heap.Stats().cached_bytes, 256 * kKiB);
    EXPECT_LE(Kept(), 8U);
    Delete(New(kLarger));
    EXPECT_LE(heap.Stats().cached_bytes, 256 * kKiB);
  });
}

TEST_F(HeapRecentTest, ItGoesBackAtTheEndOfTheThreadAndWhenTrimmed) {
  InAThread([] { Delete(New(kBlock)); });
  EXPECT_EQ(Kept(), 0U);
  InAThread([] {
    Delete(New(kBlock));
    heap.Trim(Release::kMemory);
    EXPECT_EQ(Kept(), 0U);
  });
  heap.page_heap().CheckInvariants();
}

TEST_F(HeapRecentTest, ItGoesBackWhenOthersNeedPagesAndItIsOfNoUse) {
  InAThread([] {
    Delete(New(kBlock));
    for (int i = 0; i < 16; ++i) Delete(New(kLarger + static_cast<size_t>(i) * kPageSize));
    EXPECT_EQ(Kept(), 0U);
  });
}

// What one thread keeps another cannot have.
TEST_F(HeapRecentTest, UnderALimitNothingIsKept) {
  InAThread([] {
    Delete(New(kBlock));
    heap.SetLimit({0, heap.page_heap().stats().committed_bytes + 64 * kMiB});
    void* const block = New(kBlock);
    Delete(New(kBlock));
    Delete(block);
    for (int i = 0; i < 4; ++i) Delete(New(kLarger + static_cast<size_t>(i) * kPageSize));
    EXPECT_EQ(Kept(), 0U);
  });
  heap.SetLimit({0, 0});
}

TEST_F(HeapRecentTest, WhoOnlyFreesKeepsNothingForLong) {
  constexpr int kBlocks = 64;
  static void* blocks[kBlocks];
  for (void*& block : blocks) block = New(kBlock);
  InAThread([] {
    Delete(New(16));
    for (void* const block : blocks) Delete(block);
    const bool kept = Kept() > 0;
    EXPECT_EQ(kept, Keeps());
    for (int i = 0; i < 16; ++i) Delete(New(kLarger + static_cast<size_t>(i) * kPageSize));
    EXPECT_EQ(Kept(), 0U);
  });
}

// A thread that allocates nothing and frees a large block as it ends needs no cache for that.
TEST_F(HeapRecentTest, ALargeFreeMakesNoCache) {
  void* const block = New(kBlock);
  const size_t threads = heap.Stats().thread_count;
  InAThread([block, threads] {
    Delete(block);
    EXPECT_EQ(heap.Stats().thread_count, threads);
  });
}

TEST_F(HeapRecentTest, WhoIsAloneKeepsSomeToo) {
  Delete(New(kBlock));
  EXPECT_EQ(Kept(), Keeps() ? 1U : 0U);
  heap.Trim(Release::kMemory);
  EXPECT_EQ(Kept(), 0U);
}

// A growing array does not have to be copied because of what is kept behind it.
TEST_F(HeapRecentTest, WhatIsKeptIsNotInTheWay) {
  constexpr int kBlocks = 64;
  char* blocks[kBlocks];
  for (char*& block : blocks) block = static_cast<char*>(New(kBlock));
  int first = 0;  // Of two that lie side by side, where others come behind.
  while (first < kBlocks - 2 && blocks[first + 1] != blocks[first] + kBlock) ++first;
  ASSERT_LT(first, kBlocks - 2);
  Delete(blocks[first + 1]);
  EXPECT_EQ(Kept(), Keeps() ? 1U : 0U);
  EXPECT_EQ(Reallocate(blocks[first], 2 * kBlock), blocks[first]);
  EXPECT_EQ(Kept(), 0U);
  for (int i = 0; i < kBlocks; ++i) {
    if (i != first + 1) Delete(blocks[i]);
  }
}

// What a thread keeps, another may have freed at the same time. Who wrote its name into the span
// last has it.
TEST_F(HeapRecentTest, WhatAnotherThreadHasIsNotHandedOut) {
  if (!Keeps()) GTEST_SKIP() << "where memory is dear nothing is kept";
  for (const bool by_malloc : {true, false}) {
    void* const block = New(kBlock);
    Span* const span = heap.Find(block).span;
    const int other = 0;
    Delete(block);
    span->kept_by = &other;
    testing::internal::CaptureStderr();
    errno = 7;
    if (by_malloc) {
      void* const next = New(kBlock);
      EXPECT_NE(next, block);
      EXPECT_EQ(errno, 7);
      Delete(next);
    } else {
      EXPECT_TRUE(heap.FreeKept());
    }
    EXPECT_EQ(DoubleFrees(testing::internal::GetCapturedStderr()), 1);
    EXPECT_EQ(heap.Find(block).kind, Lookup::kFree);
    EXPECT_TRUE(heap.page_heap().FreeKept(span, span->first_page, &other));
    heap.Trim(Release::kMemory);
    EXPECT_EQ(Kept(), 0U);
  }
  heap.page_heap().CheckInvariants();
}

// One of them is right, and the other hears that it is wrong, at the latest when it uses what it
// keeps; with room for the block among that, and without.
TEST_F(HeapRecentTest, OfTwoThreadsThatFreeABlockOneDoes) {
  constexpr int kRounds = 20000;
  constexpr size_t kOther = 80 * kKiB;  // Three of them leave no room.
  std::barrier meet(2);
  Span* span = nullptr;
  void* block = nullptr;
  std::atomic<int> refused{0};
  std::atomic<int> awake{0};
  const auto free_it = [&](bool makes) {
    Delete(New(16));
    for (int round = 0; round < kRounds; ++round) {
      if (round % 2 == 0) {
        void* others[3];
        for (void*& other : others) other = New(kOther);
        for (void* const other : others) Delete(other);
      }
      if (makes) {
        block = New(kBlock);
        span = heap.Find(block).span;
      }
      meet.arrive_and_wait();
      // Awake both, so that they come to the block within nanoseconds.
      ++awake;
      for (int spins = 0; awake < 2 * (round + 1); ++spins) {
        if (spins > 1000) std::this_thread::yield();
      }
      if (!heap.KeepLarge(block) && !heap.FreeLarge(span, block)) ++refused;
      meet.arrive_and_wait();
      ASSERT_EQ(heap.Find(block).kind, Lookup::kFree) << round;
      meet.arrive_and_wait();
      heap.FreeKept();
      meet.arrive_and_wait();
    }
  };
  const size_t large = heap.page_heap().stats().large_count;
  testing::internal::CaptureStderr();
  std::thread other(free_it, false);
  free_it(true);
  other.join();
  const int late = DoubleFrees(testing::internal::GetCapturedStderr());
  EXPECT_EQ(refused + late, kRounds);
  EXPECT_EQ(heap.page_heap().stats().large_count, large);
  heap.page_heap().CheckInvariants();
}

}  // namespace
}  // namespace prairie
