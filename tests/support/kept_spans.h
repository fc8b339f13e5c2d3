// Spans that a test holds, each filled with a byte of its own, so that damage shows.
#ifndef PRAIRIE_TESTS_SUPPORT_KEPT_SPANS_H_
#define PRAIRIE_TESTS_SUPPORT_KEPT_SPANS_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "tests/support/test_heap.h"

namespace prairie {

class KeptSpans {
 public:
  explicit KeptSpans(TestHeap& heap) : heap_(heap) {}

  size_t size() const { return spans_.size(); }
  Span* operator[](size_t i) const { return spans_[i].span; }

  // Takes over a span and fills it. Returns whether there was one.
  bool Keep(Span* span) {
    if (span == nullptr) return false;
    spans_.push_back({span, static_cast<unsigned char>(next_byte_++ % 255 + 1)});
    Fill(spans_.size() - 1);
    return true;
  }

  // After the span has grown.
  void Fill(size_t i) {
    memset(heap_.Memory(spans_[i].span), spans_[i].byte, spans_[i].span->pages.bytes());
  }

  // After the pages have moved.
  void Replace(size_t i, Span* span) { spans_[i].span = span; }

  // Whether the span still holds what was put there, in its first `bytes`.
  bool IsIntact(size_t i, size_t bytes) const {
    const unsigned char* const memory = heap_.Memory(spans_[i].span);
    const unsigned char expected = spans_[i].byte;
    return std::all_of(memory, memory + bytes, [=](auto byte) { return byte == expected; });
  }

  bool AreIntact() const {
    for (size_t i = 0; i < size(); ++i) {
      if (!IsIntact(i, spans_[i].span->pages.bytes())) return false;
    }
    return true;
  }

  void Free(size_t i) {
    heap_.page_heap().Free(spans_[i].span);
    spans_[i] = spans_.back();
    spans_.pop_back();
  }

  void FreeAll() {
    while (!spans_.empty()) Free(spans_.size() - 1);
  }

 private:
  struct Kept {
    Span* span;
    unsigned char byte;
  };

  TestHeap& heap_;
  std::vector<Kept> spans_;
  unsigned next_byte_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_KEPT_SPANS_H_
