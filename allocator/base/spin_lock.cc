// The waiting half of SpinLock: the three-state futex lock (free, held, held with waiters).
// Source: U. Drepper, "Futexes Are Tricky", mutex 2.
#include "allocator/base/spin_lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef PRAIRIE_DEBUG_LOCKS
#include "allocator/base/report.h"
#endif

namespace prairie {
namespace {

// Enough to outlast a short critical section on another core; a waiter then costs no processor.
constexpr int kSpins = 100;

void Futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  const int saved_errno = errno;
  // Its failures (EAGAIN: the word changed; EINTR) only mean "look again", which the caller does.
  syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
  errno = saved_errno;
}

}  // namespace

constinit std::atomic<pthread_t> SpinLock::all_held_by_{0};

void SpinLock::LockSlow() {
  for (int i = 0; i < kSpins; ++i) {
    uint32_t expected = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return;
    }
    CpuRelax();
  }
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    Futex(state_, FUTEX_WAIT, kContended);
  }
}

void SpinLock::Wake() { Futex(state_, FUTEX_WAKE, 1); }

#ifdef PRAIRIE_DEBUG_LOCKS
namespace {
// How many locks of each rank this thread holds.
PRAIRIE_THREAD_LOCAL uint8_t held[8];
}  // namespace

void SpinLock::NoteAcquire() {
  for (int rank = static_cast<int>(rank_) + 1; rank < 8; ++rank) {
    if (held[rank] != 0) {
      Report()
          .Text("prairie: lock order violation: rank ")
          .Decimal(static_cast<int>(rank_))
          .Text(" taken while holding rank ")
          .Decimal(rank)
          .EmitAndAbort();
    }
  }
  ++held[static_cast<int>(rank_)];
}

void SpinLock::NoteRelease() { --held[static_cast<int>(rank_)]; }
#endif

}  // namespace prairie
