// Spans for mappings of the program's: addresses of the arena that hold no memory of ours. They are
// counted as foreign; what is mapped there, and its protection, is the program's business.
#include <algorithm>

#include "allocator/page_heap/page_heap.h"

namespace prairie {

// What is usable of a free run becomes reserved, as if it had never been committed.
bool PageHeap::TakeAccess(PageRun run) {
  PageRun rest = run;
  PageRun usable;
  while (index_.FirstWith(Bits::kUsable, true, rest, &usable)) {
    if (!MayOpenGap(usable) || !arena_->Release(usable)) return false;
    const PageCount dirty = index_.Count(Bits::kDirty, usable);
    ClearUsable(usable);
    index_.Clear(Bits::kDirty, usable);
    free_dirty_ = free_dirty_ - dirty;
    least_free_dirty_ = std::min(least_free_dirty_, free_dirty_);
    rest = {usable.end(), run.end() - usable.end()};
  }
  return true;
}

Span* PageHeap::AllocateMapped(PageCount pages, PageCount alignment, const char* name) {
  const PageCount guard = os_unit_;
  SpinLockHolder holder(lock_);
  ObserveLimitsLocked();
  if (!arena_->reserved() || pages >= PagesFor(arena_->window())) return nullptr;
  pages = RoundToOsPages(pages) + guard;
  FlushRecent();
  Span* const span = spans_.Acquire();
  if (span == nullptr) return nullptr;
  span->kind = SpanKind::kUnused;
  PageRun run;
  // To look for new pages is to look at the limits, too: the reservation may be gone after it.
  const Alignment wanted = AlignmentFor(alignment, SpanKind::kMapped);
  if (!FindOrExtend(pages, wanted, Use::kAddresses, &run) || !arena_->reserved() ||
      !TakeAccess(run)) {
    spans_.Release(span);
    return nullptr;
  }
  index_.MarkUsed(run);
  free_ = free_ - run.length;
  foreign_ = foreign_ + run.length;
  *span = Span{};
  span->first_page = run.begin;
  span->pages = run.length;
  span->kind = SpanKind::kMapped;
  span->name = name;
  page_map_->SetSpan({run.begin, {1}}, span);
  return span;
}

Span* PageHeap::MappedAt(PageId first_page) const {
  if (first_page >= frontier_ || page_map_->class_of(first_page) != 0) return nullptr;
  Span* const span = page_map_->span_of(first_page);
  const bool found =
      span != nullptr && span->kind == SpanKind::kMapped && span->first_page == first_page;
  return found ? span : nullptr;
}

bool PageHeap::SetLive(PageId first_page, size_t bytes) {
  SpinLockHolder holder(lock_);
  Span* const span = MappedAt(first_page);
  if (span == nullptr || bytes > (span->pages - os_unit_).bytes()) return false;
  const PageCount before = PagesFor(span->live_bytes), after = PagesFor(bytes);
  if (after > before) {
    page_map_->SetSpan({first_page + before, after - before}, span);
  }
  span->live_bytes = bytes;
  return true;
}

bool PageHeap::FreeMapped(PageId first_page) {
  SpinLockHolder holder(lock_);
  Span* const span = MappedAt(first_page);
  if (span == nullptr) return false;
  const PageRun run = {first_page, span->pages};
  foreign_ = foreign_ - run.length;
  // Nobody's object was here: a pointer to it is wild, not freed.
  span->pages = {0};
  span->kind = SpanKind::kUnused;
  spans_.Release(span);
  // Where nothing is reserved any more, free pages belong to anyone. If the system does not take
  // them they stay, and will be found occupied.
  if (!arena_->reserved()) arena_->Release(run);
  GiveBack(run);
  return true;
}

}  // namespace prairie
