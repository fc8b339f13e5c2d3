#include "allocator/heap/failure_log.h"

#include <bit>

#include "allocator/base/config.h"

namespace prairie {
namespace {

// Failures of one kind probably have one reason: the small ones, and the large ones of about the
// same size.
int KindOf(size_t requested, MemoryLimit known) {
  const int size = requested <= kMaxSmallSize ? 1 : static_cast<int>(std::bit_width(requested));
  return static_cast<int>(known) * 128 + size;
}

}  // namespace

bool FailureLog::Begin(uint64_t now, size_t requested, MemoryLimit known) {
  const int kind = KindOf(requested, known);
  SpinLockHolder holder(lock_);
  ++count_;
  if (in_period_ == 0 || now >= period_start_ + kPeriodMilliseconds) {
    period_start_ = now;
    in_period_ = 0;
  } else if (kind == last_kind_ || in_period_ >= kMostInPeriod) {
    return false;
  }
  ++in_period_;
  last_kind_ = kind;
  return true;
}

void FailureLog::Record(const LimitFinding& finding, size_t requested, bool asked, uint64_t now) {
  SpinLockHolder holder(lock_);
  last_ = {finding, requested, count_};
  if (!asked) return;
  asked_ = finding;
  // It may have taken long, and is not to take most of the program's time.
  period_start_ = now;
}

void FailureLog::RecordAgain(size_t requested) {
  SpinLockHolder holder(lock_);
  last_ = {asked_, requested, count_};
}

Failure FailureLog::last() {
  SpinLockHolder holder(lock_);
  return last_;
}

}  // namespace prairie
