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
// every turn, some 2500 instructions. Spans here hold nothing that lives and keep their pages,
// which are not free in the index. The page heap has some, and frees them all before any other
// request for pages, so keeping them costs no memory: the lowest run that fits is found as ever.
// And each thread has some small ones, which it keeps (Span::Keep), for which it needs no lock.
// Thread safety: the page heap's lock, or the thread.
class RecentSpans {
 public:
  constexpr RecentSpans() = default;

  // `most`: pages of all spans together.
  void Init(PageCount most) { most_ = most; }

  // What was known of a span when it came: who frees a block twice may have changed it since.
  struct Entry {
    Span* span;
    PageId first_page;
    PageCount pages;

    explicit operator bool() const { return span != nullptr; }
  };

  bool Accepts(PageCount pages) const { return pages.value != 0 && pages.value <= most_.value / 2; }
  // REQUIRES: Accepts(span->pages), and Evict until !IsFull(span->pages).
  bool IsFull(PageCount more) const { return count_ == kSpans || pages_ + more > most_; }
  void Put(Span* span) {
    entries_[count_++] = {span, span->first_page, span->pages};
    pages_ = pages_ + span->pages;
  }

  // The span of `pages` that came last, or none.
  Entry Take(PageCount pages) {
    for (size_t i = count_; i-- > 0;) {
      if (entries_[i].pages == pages) return Remove(i);
    }
    return {};
  }

  // The span that came first, or none.
  Entry Evict() { return count_ == 0 ? Entry{} : Remove(0); }

  size_t count() const { return count_; }
  PageCount pages() const { return pages_; }

 private:
  static constexpr size_t kSpans = 8;

  Entry Remove(size_t i) {
    const Entry entry = entries_[i];
    --count_;
    for (; i < count_; ++i) {
      entries_[i] = entries_[i + 1];
      Forget(i);  // Or it becomes a call of memmove, for one or two of them.
    }
    pages_ = pages_ - entry.pages;
    return entry;
  }

  PageCount most_;
  PageCount pages_;
  size_t count_ = 0;
  Entry entries_[kSpans] = {};  // in the order in which they came
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGE_HEAP_RECENT_SPANS_H_
