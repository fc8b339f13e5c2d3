// A clock for single calls, and a histogram of fixed size for what it says.

#ifndef BENCH_WORKLOADS_LATENCY_H_
#define BENCH_WORKLOADS_LATENCY_H_

#include <bit>
#include <cstdint>

#include "bench/workloads/workload.h"

namespace workload {

// Ticks of a clock that costs some 10 ns to read; how long one is, TickLength measures.
inline uint64_t Ticks() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc();
#else
  return NowNanoseconds();
#endif
}

// Nanoseconds of one tick, between the construction of this object and now.
class TickLength {
 public:
  double Nanoseconds() const {
    return static_cast<double>(NowNanoseconds() - nanoseconds_) /
           static_cast<double>(Ticks() - ticks_);
  }

 private:
  uint64_t nanoseconds_ = NowNanoseconds();
  uint64_t ticks_ = Ticks();
};

// Counts of values by their highest bit and the four after it: exact to 6%.
class Histogram {
 public:
  void Add(uint64_t value) {
    counts_[IndexOf(value)]++;
    if (value > worst_) worst_ = value;
  }

  void Add(const Histogram& other) {
    for (unsigned i = 0; i < kBuckets; i++) counts_[i] += other.counts_[i];
    if (other.worst_ > worst_) worst_ = other.worst_;
  }

  // The value that `share` of all values do not exceed.
  uint64_t Quantile(double share) const {
    uint64_t all = 0;
    for (const uint64_t count : counts_) all += count;
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(all));
    uint64_t seen = 0;
    for (unsigned i = 0; i < kBuckets; i++) {
      seen += counts_[i];
      if (seen > wanted) return HighestOf(i) < worst_ ? HighestOf(i) : worst_;
    }
    return worst_;
  }

  uint64_t worst() const { return worst_; }

 private:
  static constexpr unsigned kFine = 16;  // buckets for each power of two
  static constexpr unsigned kBuckets = 61 * kFine;

  static unsigned IndexOf(uint64_t value) {
    if (value < kFine) return static_cast<unsigned>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 5;
    return (shift + 1) * kFine + static_cast<unsigned>(value >> shift) - kFine;
  }

  static uint64_t HighestOf(unsigned index) {
    if (index < kFine) return index;
    const unsigned shift = index / kFine - 1;
    return ((uint64_t{index % kFine + kFine} + 1) << shift) - 1;
  }

  uint64_t counts_[kBuckets] = {};
  uint64_t worst_ = 0;
};

}  // namespace workload

#endif  // BENCH_WORKLOADS_LATENCY_H_
