// The lock: mutual exclusion, waiting in the kernel, TryLock, and what fork does to it.
#include "allocator/base/spin_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace prairie {
namespace {

TEST(SpinLockTest, OnlyOneThreadIsInside) {
  constexpr int kThreads = 4, kRounds = 50000;
  SpinLock lock(LockRank::kLeaf);
  // Not atomic: lost updates show if two threads are inside.
  int64_t counter = 0;
  int inside = 0;
  bool overlapped = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        SpinLockHolder holder(lock);
        if (++inside != 1) overlapped = true;
        ++counter;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, int64_t{kThreads} * kRounds);
  EXPECT_FALSE(overlapped);
}

TEST(SpinLockTest, TryLockFailsWhileItIsHeld) {
  SpinLock lock(LockRank::kLeaf);
  ASSERT_TRUE(lock.TryLock());
  std::thread([&] { EXPECT_FALSE(lock.TryLock()); }).join();
  lock.Unlock();
  std::thread([&] {
    EXPECT_TRUE(lock.TryLock());
    lock.Unlock();
  }).join();
  lock.Lock();
  std::thread([&] { EXPECT_FALSE(lock.TryLock()); }).join();
  lock.Unlock();
}

TEST(SpinLockTest, WaitersThatSleepAreWokenOneByOne) {
  constexpr int kThreads = 6;
  SpinLock lock(LockRank::kLeaf);
  std::atomic<int> arrived{0};
  int through = 0;
  lock.Lock();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      ++arrived;
      SpinLockHolder holder(lock);
      ++through;
    });
  }
  while (arrived < kThreads) std::this_thread::yield();
  // Long enough for all to have given up spinning; if not, the test is easier, not wrong.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(through, 0);
  lock.Unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(through, kThreads);
}

TEST(SpinLockTest, HeldAcrossAForkItCanBeResetInTheChild) {
  SpinLock lock(LockRank::kLeaf);
  lock.Lock();
  const pid_t child = fork();
  if (child == 0) {
    lock.ResetAfterFork();
    _exit(lock.TryLock() ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  lock.Unlock();
}

}  // namespace
}  // namespace prairie
