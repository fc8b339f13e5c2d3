// The last time that there was no memory, and how often the reason is looked up: a program may run
// into NULL in a loop, and reading the kernel's files takes longer than the whole allocation.
#ifndef PRAIRIE_ALLOCATOR_HEAP_FAILURE_LOG_H_
#define PRAIRIE_ALLOCATOR_HEAP_FAILURE_LOG_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/base/spin_lock.h"
#include "allocator/os/memory_limits.h"

namespace prairie {

struct Failure {
  LimitFinding finding;  // kNone: there was none yet
  size_t requested = 0;  // bytes
  size_t count = 0;      // failures so far, this one included
};

// Thread safety: any thread; one lock, held for a few instructions.
class FailureLog {
 public:
  static constexpr uint64_t kPeriodMilliseconds = 100;
  static constexpr int kMostInPeriod = 4;

  constexpr FailureLog() = default;

  // An allocation of `requested` bytes has failed; `known` is the reason if it is known without
  // asking the kernel, else kNone. Returns whether the reason is to be looked up (and said): not if
  // it was within the last period for a request of this kind, nor more than kMostInPeriod times in
  // it for changing kinds. `now`: milliseconds.
  bool Begin(uint64_t now, size_t requested, MemoryLimit known);

  // What was found for a failure. `asked`: by asking the kernel, which was done at `now`; it then
  // holds for the failures that follow and are not looked up.
  void Record(const LimitFinding& finding, size_t requested, bool asked, uint64_t now);

  // A failure that was not looked up: for the reason that the kernel gave last.
  void RecordAgain(size_t requested);

  Failure last();
  SpinLock& lock() { return lock_; }

 private:
  SpinLock lock_{LockRank::kLeaf};
  Failure last_;
  size_t count_ = 0;
  LimitFinding asked_ = {MemoryLimit::kUnknown, 0, 0};  // what the kernel's files said last
  uint64_t period_start_ = 0;
  int in_period_ = 0;
  int last_kind_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_HEAP_FAILURE_LOG_H_
