// A model of a heap: which ranges are handed out, and what their owners wrote there.
#ifndef PRAIRIE_TESTS_SUPPORT_MODEL_HEAP_H_
#define PRAIRIE_TESTS_SUPPORT_MODEL_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>

namespace prairie {

// The ranges that are handed out, of which no two may overlap. Thread safety: any thread.
class ModelHeap {
 public:
  // Notes [pointer, pointer + size). Returns whether it overlaps with nothing.
  bool Add(const void* pointer, size_t size) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(pointer);
    const std::lock_guard lock(mutex_);
    const auto next = ranges_.lower_bound(begin);
    if (next != ranges_.end() && next->first < begin + size) return false;
    if (next != ranges_.begin() && std::prev(next)->second > begin) return false;
    ranges_.emplace_hint(next, begin, begin + size);
    return true;
  }

  // Before the range is given back. Returns whether it was there.
  bool Remove(const void* pointer) {
    const std::lock_guard lock(mutex_);
    return ranges_.erase(reinterpret_cast<uintptr_t>(pointer)) == 1;
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return ranges_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::map<uintptr_t, uintptr_t> ranges_;  // begin → end
};

// An object and what was written to it: bytes that depend on a number of its own and on their
// place, so that neither another object's contents nor its own at another place pass for it.
struct PatternedObject {
  // Of a long object only the two ends are written and checked, or it would be all that tests do.
  static constexpr size_t kEnds = 2048;

  unsigned char* data = nullptr;
  size_t size = 0;
  uint64_t number = 0;

  void Write() const {
    for (size_t i = 0; i < size; i = Next(i)) data[i] = ByteAt(i);
  }

  // Whether the first `bytes` are as written for a size of at least that.
  bool IsIntact(size_t bytes) const {
    for (size_t i = 0; i < bytes && i < size; i = Next(i)) {
      if (data[i] != ByteAt(i)) return false;
    }
    return true;
  }
  bool IsIntact() const { return IsIntact(size); }

 private:
  size_t Next(size_t i) const { return i + 1 == kEnds && size > 2 * kEnds ? size - kEnds : i + 1; }
  unsigned char ByteAt(size_t i) const {
    const uint64_t mixed = (number + i / 8) * 0x9e3779b97f4a7c15;
    return static_cast<unsigned char>(mixed >> (8 * (i % 8)));
  }
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_MODEL_HEAP_H_
