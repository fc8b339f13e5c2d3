// What lies in all transfer caches together.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_TRANSFERRING_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_TRANSFERRING_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <bit>

#include "allocator/arena/size_classes.h"

namespace prairie {

// Kept by the transfer caches, so that who looks for one that has something asks no other: their
// memory is that of other processors. Thread safety: any thread; inexact while others come and go.
class Transferring {
 public:
  constexpr Transferring() = default;

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // Bytes that came, or, negative, went.
  void Add(size_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }

  // Whether class `c` has anything from now on.
  void Set(SizeClass c, bool has) {
    std::atomic<uint64_t>& word = classes_[c / kBits];
    const uint64_t bit = uint64_t{1} << c % kBits;
    if (has) {
      word.fetch_or(bit, std::memory_order_relaxed);
    } else {
      word.fetch_and(~bit, std::memory_order_relaxed);
    }
  }

  // The next class behind `c` that has something, after the last one the first. 0 if none has.
  SizeClass NextAfter(SizeClass c) const {
    const uint32_t begin = (c + 1u) / kBits % kWords;
    const uint64_t behind = ~uint64_t{0} << (c + 1u) % kBits;
    // The word in which it begins comes twice: what lies before it is last.
    for (uint32_t i = 0; i <= kWords; ++i) {
      const uint32_t at = (begin + i) % kWords;
      const uint64_t found = classes_[at].load(std::memory_order_relaxed) & (i == 0 ? behind : ~0);
      if (found != 0) return static_cast<SizeClass>(at * kBits + std::countr_zero(found));
    }
    return 0;
  }

 private:
  static constexpr uint32_t kBits = 64;
  static constexpr uint32_t kWords = (kSizeClassCount + kBits - 1) / kBits;

  // Written by everyone who gives or takes; the classes change seldom.
  alignas(kCacheLineSize) std::atomic<size_t> bytes_{0};
  alignas(kCacheLineSize) std::atomic<uint64_t> classes_[kWords] = {};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_TRANSFERRING_H_
