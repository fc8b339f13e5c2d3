// Pages without memory inside small spans.
//
// After a peak what lives is scattered: a page here and there of a span that has a hundred objects'
// room. The pages between hold free slots only, and go back. Their class bytes become 0, so that a
// free of something in them takes the slow path, which knows it for a second one, and nobody looks
// for marks in them; when a slot there is to be handed out, the page is made as if it had just been
// carved.
#include <algorithm>

#include "allocator/central/central_list.h"

namespace prairie {
namespace {

// Spans looked at in one call, under the lock.
constexpr uint32_t kLooks = 64;

// Span::seen is Span::allocated() + 1 (so it is never that of a new span), and how often it was
// seen to be that before, in units of kOnce; kReleased: what lies idle has been given back.
constexpr uint32_t kAllocated = 0xffff;
constexpr uint32_t kOnce = kAllocated + 1;
constexpr uint32_t kIdle = 8 * kOnce;
constexpr uint32_t kReleased = 1u << 31;
static_assert(std::all_of(kSizeClasses.begin() + 1, kSizeClasses.end(), [](const auto& info) {
  return info.span_pages.bytes() / info.size < kAllocated;
}));

}  // namespace

bool CentralList::ReleaseIdle(uint32_t most, bool at_once, uint32_t* released) {
  SpinLockHolder holder(lock_);
  Span* span = next_look_ != nullptr ? next_look_ : with_room_.first();
  for (uint32_t looks = 0; span != nullptr && looks < kLooks && *released < most; ++looks) {
    Span* const next = span->next;
    const uint32_t now = span->allocated() + 1;
    if ((span->seen & kAllocated) != now) {
      span->seen = now;
    } else if (span->seen < kIdle) {
      span->seen += kOnce;
    }
    const bool is_due = span->seen >= kIdle || at_once;
    if (is_due && span->seen < kReleased) {
      span->seen = now | kReleased;
      if (ReleasePages(span)) {
        ++*released;
        // The last to be used again.
        with_room_.Remove(span);
        with_room_.PushBack(span);
      }
    }
    span = next;
  }
  next_look_ = span;
  return span == nullptr;
}

bool CentralList::ReleasePages(Span* span) {
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  PageMap& page_map = *context_->page_map;
  const size_t size = kSizeClasses[size_class_].size;
  const size_t first = span->first_page.offset() + span->first_slot;
  const size_t carved_end = first + span->carved * size;
  const PageId end = {static_cast<uint32_t>(carved_end >> kPageShift)};
  const auto is_idle = [&](PageId page) {
    if (page_map.class_of(page) == 0) return false;
    // From the slot that reaches into the page.
    const size_t begin = page.offset();
    const size_t from = begin <= first ? first : begin - (begin - first) % size;
    return !allocated.Any(from, begin + kPageSize);
  };
  bool any = false;
  for (PageId page = span->first_page; page < end;) {
    PageRun idle = {page, {0}};
    while (page < end && is_idle(page)) page = page + PageCount{1};
    idle.length = page - idle.begin;
    if (idle.length.value == 0) {
      page = page + PageCount{1};
      continue;
    }
    page_map.SetClass(idle, 0);
    if (context_->page_heap->Discard(idle)) {
      span->released += idle.length.value;
      any = true;
    } else {
      page_map.SetClass(idle, size_class_);
    }
  }
  return any;
}

// Those that the slot at `offset` touches.
void CentralList::RestorePages(Span* span, size_t offset) {
  const uint32_t last =
      static_cast<uint32_t>((offset + kSizeClasses[size_class_].size - 1) >> kPageShift);
  for (uint32_t page = static_cast<uint32_t>(offset >> kPageShift); page <= last; ++page) {
    if (context_->page_map->class_of({page}) == 0) RestorePage(span, {page});
  }
}

void CentralList::RestorePage(Span* span, PageId page) {
  const size_t size = kSizeClasses[size_class_].size;
  const size_t first = span->first_page.offset() + span->first_slot;
  const size_t begin = page.offset();
  // All slots that begin here are carved, and free.
  size_t offset = begin <= first ? first : first + (begin - first + size - 1) / size * size;
  for (; offset < begin + kPageSize; offset += size) {
    FreeObject* const object = ObjectAt(offset);
    object->SetFree(object->FreeMark(context_->mark_key));
  }
  context_->page_map->SetClass({page, {1}}, size_class_);
  --span->released;
}

void CentralList::RemoveWithRoom(Span* span) {
  if (next_look_ == span) next_look_ = span->next;
  with_room_.Remove(span);
}

}  // namespace prairie
