// The large spans that were freed last, kept whole for the next request of the same length.
#ifndef PRAIRIE_ALLOCATOR_PAGE_HEAP_RECENT_SPANS_H_
#define PRAIRIE_ALLOCATOR_PAGE_HEAP_RECENT_SPANS_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/base/compiler.h"
#include "allocator/base/pages.h"
#include "allocator/pages/span.h"

namespace prairie {

// A buffer that a program frees and allocates again would otherwise go through the page index at
// every turn, some 2500 instructions. Spans here are unused and keep their pages, which are not
// free in the index. The page heap has some, and frees them all before any other request for pages,
// so keeping them costs no memory: the lowest run that fits is found as ever. And each thread has
// some small ones, for which it needs no lock. Thread safety: the page heap's lock, or the thread.
class RecentSpans {
 public:
  constexpr RecentSpans() = default;

  // `most`: pages of all spans together.
  void Init(PageCount most) { most_ = most; }

  bool Accepts(PageCount pages) const { return pages.value != 0 && pages.value <= most_.value / 2; }
  // REQUIRES: Accepts(span->pages), and Evict until !IsFull(span->pages).
  bool IsFull(PageCount more) const { return count_ == kSpans || pages_ + more > most_; }
  void Put(Span* span) {
    lengths_[count_] = span->pages.value;
    spans_[count_++] = span;
    pages_ = pages_ + span->pages;
  }

  // The span of `pages` that came last, or null.
  Span* Take(PageCount pages) {
    for (size_t i = count_; i-- > 0;) {
      if (lengths_[i] == pages.value) return Remove(i);
    }
    return nullptr;
  }

  // The span that came first, or null.
  Span* Evict() { return count_ == 0 ? nullptr : Remove(0); }

  size_t count() const { return count_; }
  PageCount pages() const { return pages_; }

 private:
  static constexpr size_t kSpans = 8;

  Span* Remove(size_t i) {
    Span* const span = spans_[i];
    --count_;
    for (; i < count_; ++i) {
      spans_[i] = spans_[i + 1];
      lengths_[i] = lengths_[i + 1];
      Forget(i);  // Or they become two calls of memmove, for one or two of each.
    }
    pages_ = pages_ - span->pages;
    return span;
  }

  PageCount most_;
  PageCount pages_;
  size_t count_ = 0;
  uint32_t lengths_[kSpans] = {};  // in pages, in the order in which they came
  Span* spans_[kSpans] = {};
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGE_HEAP_RECENT_SPANS_H_
