// Prairie's own limit: how many bytes of heap may be committed. Not of address space, of which the
// heap takes as much as it likes.
#ifndef PRAIRIE_ALLOCATOR_PAGE_HEAP_COMMIT_LIMIT_H_
#define PRAIRIE_ALLOCATOR_PAGE_HEAP_COMMIT_LIMIT_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

namespace prairie {

// In bytes; 0: none.
struct CommitBounds {
  size_t soft = 0;  // beyond it the program is asked to free something
  size_t hard = 0;  // nothing is committed beyond it
};

// What is counted is the caller's word ("used"). Thread safety: the page heap's lock, but for
// pressure, TakePressure and refusals.
class CommitLimit {
 public:
  constexpr CommitLimit() = default;

  // Takes effect at the next commit, whatever is committed already.
  void Set(const CommitBounds& bounds) {
    bounds_ = bounds;
    armed_ = true;
    pressure_.store(false, std::memory_order_relaxed);
  }
  const CommitBounds& bounds() const { return bounds_; }
  bool IsSet() const { return (bounds_.soft | bounds_.hard) != 0; }

  // Whether `more` bytes may be committed on top of `used`. A refusal is counted.
  bool Allows(size_t used, size_t more) {
    if (bounds_.hard == 0 || more <= Left(bounds_.hard, used)) return true;
    refusals_.store(refusals() + 1, std::memory_order_relaxed);
    return false;
  }

  // How much a commit that is allowed may grow beyond its need: it crosses no bound for that.
  size_t Spare(size_t used_then) const {
    const size_t to_hard = bounds_.hard == 0 ? SIZE_MAX : Left(bounds_.hard, used_then);
    const bool below_soft = bounds_.soft != 0 && used_then <= bounds_.soft;
    const size_t to_soft = below_soft ? bounds_.soft - used_then : SIZE_MAX;
    return to_hard < to_soft ? to_hard : to_soft;
  }

  // What is used has changed. Crossing the soft bound upwards makes pressure; once, until
  // it has fallen by a 16th.
  void Note(size_t used) {
    if (bounds_.soft == 0) return;
    if (armed_ && used > bounds_.soft) {
      armed_ = false;
      pressure_.store(true, std::memory_order_relaxed);
    } else if (used < bounds_.soft - bounds_.soft / 16) {
      armed_ = true;
    }
  }

  // The crossing came to nothing if `used` is no more above the soft bound: the next one counts.
  // Returns whether it is so.
  bool RearmIfRelieved(size_t used) {
    if (bounds_.soft != 0 && used > bounds_.soft) return false;
    armed_ = true;
    return true;
  }

  // Whether the soft bound was crossed and nobody has taken care of it. Any thread.
  bool pressure() const { return pressure_.load(std::memory_order_relaxed); }
  // The same; true for one caller only.
  bool TakePressure() { return pressure() && pressure_.exchange(false, std::memory_order_relaxed); }
  // How often the hard bound refused a commit. Any thread.
  uint32_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  static size_t Left(size_t bound, size_t used) { return bound > used ? bound - used : 0; }

  CommitBounds bounds_;
  bool armed_ = true;
  std::atomic<bool> pressure_{false};
  std::atomic<uint32_t> refusals_{0};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGE_HEAP_COMMIT_LIMIT_H_
