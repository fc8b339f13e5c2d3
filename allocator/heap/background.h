// The background thread: gives memory back while the program does not call.
#ifndef PRAIRIE_ALLOCATOR_HEAP_BACKGROUND_H_
#define PRAIRIE_ALLOCATOR_HEAP_BACKGROUND_H_

#include <stdint.h>

#include <atomic>

namespace prairie {

// Made when the heap is first used for long, not at load: a program may look at its threads, or
// fork, before that. It wakes once an epoch, takes no signals, and ends with the process,
// or as soon as no other thread is left.
// Thread safety: any thread.
class BackgroundThread {
 public:
  constexpr BackgroundThread() = default;

  // Starts it if it does not run; should that fail, the next call a second later tries again.
  // `now`: milliseconds. Called without locks, and may allocate.
  void EnsureRunning(uint64_t now) {
    if (!running_.load(std::memory_order_relaxed)) Start(now);
  }

  // In the child of a fork, which has it not.
  void ForgetInChild() { running_.store(false, std::memory_order_relaxed); }

 private:
  void Start(uint64_t now);

  std::atomic<bool> running_{false};  // or being started
  std::atomic<uint64_t> retry_at_{0};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_HEAP_BACKGROUND_H_
