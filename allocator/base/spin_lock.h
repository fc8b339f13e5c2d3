// A small lock with a rank: spins a little, then sleeps in the kernel.
//
// Locks are taken in ascending rank. A debug build (PRAIRIE_DEBUG_LOCKS) keeps the ranks that each
// thread holds and stops at a violation; a release build keeps nothing.
#ifndef PRAIRIE_ALLOCATOR_BASE_SPIN_LOCK_H_
#define PRAIRIE_ALLOCATOR_BASE_SPIN_LOCK_H_

#include <pthread.h>
#include <stdint.h>

#include <atomic>

#include "allocator/base/compiler.h"

namespace prairie {

// The lock order, outermost first. Between two locks of one rank (the size classes) the order is
// that of the class; only fork takes more than one of them.
enum class LockRank : uint8_t {
  kInit,
  kThreadRegistry,
  kTransferCache,
  kCentralList,
  kPageHeap,
  kMagazineStore,
  kMetadata,
  kLeaf,
};

// Thread safety: any thread may call any function. Constant-initialized, never destroyed.
class SpinLock {
 public:
  constexpr explicit SpinLock(LockRank rank) : rank_(rank) {}
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void Lock() {
    if (PRAIRIE_UNLIKELY(AllHeldByThisThread())) return;
    NoteAcquire();
    uint32_t expected = kFree;
    if (PRAIRIE_UNLIKELY(!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                                         std::memory_order_relaxed))) {
      LockSlow();
    }
  }

  bool TryLock() {
    if (PRAIRIE_UNLIKELY(AllHeldByThisThread())) return true;
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      return false;
    }
    NoteAcquire();
    return true;
  }

  void Unlock() {
    if (PRAIRIE_UNLIKELY(AllHeldByThisThread())) return;
    NoteRelease();
    if (PRAIRIE_UNLIKELY(state_.exchange(kFree, std::memory_order_release) == kContended)) Wake();
  }

  // Fork: says that this thread has taken every lock there is. Until AllReleased it passes through
  // all of them, for handlers of others, which run between ours and may allocate.
  static void AllHeld() { all_held_by_.store(pthread_self(), std::memory_order_relaxed); }
  static void AllReleased() { all_held_by_.store(0, std::memory_order_relaxed); }

  // In the child of a fork: whoever held the lock in the parent does not exist here.
  void ResetAfterFork() {
    NoteRelease();
    state_.store(kFree, std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;

  // Written only by a thread that holds every lock, so another thread never reads its own name.
  static bool AllHeldByThisThread() {
    const pthread_t holder = all_held_by_.load(std::memory_order_relaxed);
    return PRAIRIE_UNLIKELY(holder != 0) && holder == pthread_self();
  }

  void LockSlow();
  void Wake();
#ifdef PRAIRIE_DEBUG_LOCKS
  void NoteAcquire();
  void NoteRelease();
#else
  void NoteAcquire() {}
  void NoteRelease() {}
#endif

  static std::atomic<pthread_t> all_held_by_;

  std::atomic<uint32_t> state_{kFree};
  [[maybe_unused]] LockRank rank_;  // What a debug build checks.
};

class SpinLockHolder {
 public:
  explicit SpinLockHolder(SpinLock& lock) : lock_(lock) { lock_.Lock(); }
  ~SpinLockHolder() { lock_.Unlock(); }
  SpinLockHolder(const SpinLockHolder&) = delete;
  SpinLockHolder& operator=(const SpinLockHolder&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_SPIN_LOCK_H_
