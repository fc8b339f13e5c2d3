// The page map: page → size class and page → span, two flat arrays.
#ifndef PRAIRIE_ALLOCATOR_PAGES_PAGE_MAP_H_
#define PRAIRIE_ALLOCATOR_PAGES_PAGE_MAP_H_

#include "allocator/arena/arena.h"
#include "allocator/arena/flat_region.h"
#include "allocator/pages/span.h"

namespace prairie {

// Class bytes are zero for every page that is not in a small span. Span pointers are not cleared
// when a span is freed: ask Span::Covers.
// Thread safety: EnsurePages and the setters under the page heap's lock, or, for pages of a span
// that is being made, by its only owner. Reads by anyone: a pointer to an object reaches another
// thread with an ordering of its own, so what describes its page is visible there.
class PageMap {
 public:
  constexpr PageMap() = default;

  void Init(const Arena& arena) {
    const ArenaLayout& layout = arena.layout();
    const size_t pages = layout.window >> kPageShift;
    const bool reserved = arena.claims_reserved();
    classes_.Init(arena.os(), arena.base() - ArenaLayout::kClassMapDistance, pages, reserved);
    spans_.Init(arena.os(), arena.base() - layout.span_map_distance, pages, reserved);
  }

  // See FlatRegion. Under the page heap's lock.
  void LeaveReserved() {
    classes_.LeaveReserved();
    spans_.LeaveReserved();
  }

  // Bytes of the entries of pages [0, end).
  static constexpr size_t BytesFor(PageId end) {
    return FlatArray<SizeClass>::BytesFor(end.value) + FlatArray<Span*>::BytesFor(end.value);
  }

  // Makes the entries of pages [0, end) usable. False: no memory, and Trim is due.
  bool EnsurePages(PageId end, size_t slack) {
    // The larger array first, since it is the one that fails.
    return spans_.EnsureCount(end.value, slack) && classes_.EnsureCount(end.value, slack / 8);
  }
  // Gives back what has come of an EnsurePages that came to nothing. REQUIRES: no page from `end`
  // on has ever had an entry.
  void Trim(PageId end, size_t slack) {
    spans_.Trim(end.value, slack);
    classes_.Trim(end.value, slack / 8);
  }

  // The class byte of `page`. REQUIRES: the page is below what EnsurePages covers.
  SizeClass class_of(PageId page) const { return classes_[page.value]; }
  // The last span that had `page`, or null. REQUIRES: as above.
  Span* span_of(PageId page) const { return spans_[page.value]; }
  // The class of the slots in `page`, also if its byte is 0 because some of it has no memory (see
  // CentralList::ReleaseIdle); 0 if it is in no small span, or in one that is just being made.
  SizeClass slots_of(PageId page) const {
    if (const SizeClass c = class_of(page); c != 0) return c;
    const Span* const span = span_of(page);
    const bool is_small = span != nullptr && span->Covers(page) && span->kind == SpanKind::kSmall;
    return is_small ? span->size_class : 0;
  }
  // For a loop: the spans by page.
  Span* const* spans() const { return spans_.data(); }

  void SetSpan(PageRun run, Span* span) {
    for (uint32_t i = 0; i < run.length.value; ++i) spans_[run.begin.value + i] = span;
  }

  void SetClass(PageRun run, SizeClass size_class) {
    for (uint32_t i = 0; i < run.length.value; ++i) classes_[run.begin.value + i] = size_class;
  }

  size_t committed_bytes() const { return classes_.committed_bytes() + spans_.committed_bytes(); }

 private:
  FlatArray<SizeClass> classes_;
  FlatArray<Span*> spans_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGES_PAGE_MAP_H_
