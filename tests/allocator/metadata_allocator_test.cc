// Metadata: alignment, zeroes, failure, and the pools on top of it.
#include "allocator/arena/metadata_allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "allocator/base/config.h"
#include "tests/support/fake_memory.h"

namespace prairie {
namespace {

class MetadataAllocatorTest : public testing::Test {
 protected:
  void SetUp() override { metadata_.Init(os_, kFreeAddress, kClaim, 16 * kKiB); }

  static constexpr size_t kClaim = kMiB;
  FakeMemory os_;
  MetadataAllocator metadata_;
};

TEST_F(MetadataAllocatorTest, PiecesAreAlignedZeroedAndApart) {
  uintptr_t end = 0;
  for (size_t size = 1; size < 300; ++size) {
    void* const piece = metadata_.Allocate(size);
    ASSERT_NE(piece, nullptr);
    const uintptr_t start = reinterpret_cast<uintptr_t>(piece);
    EXPECT_EQ(start % (size >= kCacheLineSize ? kCacheLineSize : 16), 0U) << size;
    EXPECT_GE(start, end) << "overlaps the one before";
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(static_cast<char*>(piece)[i], 0);
    memset(piece, 0xff, size);
    end = start + size;
  }
  EXPECT_LE(end, kFreeAddress + metadata_.committed_bytes());
}

TEST_F(MetadataAllocatorTest, NullWithoutMemoryThenWorksAgain) {
  os_.FailFromNth(1);
  EXPECT_EQ(metadata_.Allocate(100), nullptr);
  os_.Heal();
  EXPECT_NE(metadata_.Allocate(100), nullptr);
}

TEST_F(MetadataAllocatorTest, NullAtTheEndOfItsClaim) {
  EXPECT_EQ(metadata_.Allocate(kClaim + 1), nullptr);
  size_t got = 0;
  while (metadata_.Allocate(1024) != nullptr) got += 1024;
  EXPECT_EQ(got, kClaim);
  EXPECT_EQ(metadata_.committed_bytes(), kClaim);
}

TEST_F(MetadataAllocatorTest, ThreadsGetDifferentPieces) {
  constexpr int kThreads = 4, kPieces = 1000;
  std::vector<std::vector<void*>> pieces(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPieces; ++i) pieces[t].push_back(metadata_.Allocate(64));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<void*> distinct;
  for (const auto& some : pieces) distinct.insert(some.begin(), some.end());
  EXPECT_EQ(distinct.size(), size_t{kThreads} * kPieces);
  EXPECT_EQ(distinct.count(nullptr), 0U);
}

struct Thing {
  Thing* next;
  int value;
};

TEST_F(MetadataAllocatorTest, APoolRecyclesAndKeepsTheBytes) {
  ObjectPool<Thing> pool;
  pool.Init(metadata_);
  Thing* const first = pool.Acquire();
  Thing* const second = pool.Acquire();
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(first, second);
  EXPECT_EQ(first->value, 0);
  first->value = 17;
  pool.Release(first);
  EXPECT_EQ(first->value, 17) << "a reader with a stale pointer still reads a Thing";
  EXPECT_EQ(pool.Acquire(), first);
  pool.Release(second);
  pool.Release(first);
  EXPECT_EQ(pool.Acquire(), first);
  EXPECT_EQ(pool.Acquire(), second);
}

TEST_F(MetadataAllocatorTest, APoolWithoutMemoryGivesNull) {
  ObjectPool<Thing> pool;
  pool.Init(metadata_);
  os_.FailFromNth(1);
  EXPECT_EQ(pool.Acquire(), nullptr);
  os_.Heal();
  EXPECT_NE(pool.Acquire(), nullptr);
}

// A signal handler may ask while this very thread allocates metadata.
TEST(ReservedMetadataTest, LeavesNothingWhileTheLockIsHeld) {
  FakeMemory os(FakeMemory::Backing::kNone);
  constexpr uintptr_t kBase = uintptr_t{0x1200} << 28;
  ASSERT_EQ(os.ReserveAt(kBase, kMiB), MapResult::kOk);
  MetadataAllocator metadata;
  metadata.Init(os, kBase, kMiB, 0, true);
  {
    SpinLockHolder holder(metadata.lock());
    EXPECT_FALSE(metadata.TryLeaveReserved());
    EXPECT_TRUE(os.Is(kBase, kMiB, FakeMemory::State::kReserved));
  }
  EXPECT_TRUE(metadata.TryLeaveReserved());
  EXPECT_TRUE(os.Is(kBase, kMiB, FakeMemory::State::kNone));
}

}  // namespace
}  // namespace prairie
