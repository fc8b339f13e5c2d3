// The background thread: gives memory back while the program does not call.
#ifndef PRAIRIE_ALLOCATOR_HEAP_BACKGROUND_H_
#define PRAIRIE_ALLOCATOR_HEAP_BACKGROUND_H_

#include <stdint.h>

#include <atomic>

#include "allocator/base/compiler.h"

namespace prairie {

// Made when the heap is first used for long, not at load: a program may look at its threads, or
// fork, before that. It wakes once an epoch, takes no signals, and ends with the process,
// or as soon as no other thread is left.
// Thread safety: any thread.
class BackgroundThread {
 public:
  constexpr BackgroundThread() = default;

  // Asks for it if it does not run, unless it was refused within the last second. Starts nothing:
  // the C library frees while it holds the lock that a new thread takes. `now`: milliseconds.
  void Want(uint64_t now) {
    State absent = kAbsent;
    if (state_.load(std::memory_order_relaxed) == kAbsent &&
        now >= retry_at_.load(std::memory_order_relaxed)) {
      state_.compare_exchange_strong(absent, kWanted, std::memory_order_relaxed);
    }
  }

  // Starts it if that was asked for. For allocations, without locks; may allocate.
  void StartIfWanted() {
    if (PRAIRIE_UNLIKELY(state_.load(std::memory_order_relaxed) == kWanted)) Start();
  }

  // In the child of a fork, which has it not.
  void ForgetInChild() { state_.store(kAbsent, std::memory_order_relaxed); }

 private:
  enum State : uint8_t { kAbsent, kWanted, kRunning /* or being started */ };

  void Start();

  std::atomic<State> state_{kAbsent};
  std::atomic<uint64_t> retry_at_{0};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_HEAP_BACKGROUND_H_
