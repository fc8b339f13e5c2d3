// The program's function that frees something when memory is short, called by one thread at a time.
#ifndef PRAIRIE_ALLOCATOR_HEAP_PRESSURE_HANDLER_H_
#define PRAIRIE_ALLOCATOR_HEAP_PRESSURE_HANDLER_H_

#include <pthread.h>

#include <atomic>

#include "allocator/base/spin_lock.h"
#include "prairie/prairie.h"

namespace prairie {

// Thread safety: any thread; one lock, which is not held while the function runs.
class PressureHandler {
 public:
  constexpr PressureHandler() = default;

  // Null: none. A call that is under way goes on.
  void Set(prairie_pressure_handler function, void* argument) {
    SpinLockHolder holder(lock_);
    function_ = function;
    argument_ = argument;
  }

  // Calls the function, and returns true. False, with nothing done, if there is none, or if it is
  // running: in this thread, which came here from within it, or in another, for which to wait could
  // be to wait for ever.
  bool Call(prairie_pressure pressure) {
    prairie_pressure_handler function;
    void* argument;
    {
      SpinLockHolder holder(lock_);
      function = function_;
      argument = argument_;
    }
    pthread_t nobody = 0;
    if (function == nullptr || !running_in_.compare_exchange_strong(nobody, pthread_self())) {
      return false;
    }
    function(argument, pressure);
    running_in_.store(0);
    return true;
  }

  // In the child of a fork: a call in a thread that does not exist here will not return.
  void ForgetOtherThreads() {
    if (running_in_.load() != pthread_self()) running_in_.store(0);
  }

  SpinLock& lock() { return lock_; }

 private:
  SpinLock lock_{LockRank::kLeaf};
  prairie_pressure_handler function_ = nullptr;
  void* argument_ = nullptr;
  std::atomic<pthread_t> running_in_{0};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_HEAP_PRESSURE_HANDLER_H_
