// Pages without memory inside small spans.
//
// After a peak what lives is scattered: a page here and there of a span that has a hundred objects'
// room. The OS pages between hold free slots only, and go back. The class bytes of the pages in
// which they lie become 0, so that a free of something there takes the slow path, which looks for
// allocated bits and not for marks; when a slot there is to be handed out, the free ones of its
// page get their marks again. What lives in the rest of such a page is freed the slow way until
// then.
#include <algorithm>
#include <bit>

#include "allocator/central/central_list.h"

namespace prairie {
namespace {

// Spans looked at in one call, under the lock.
constexpr uint32_t kLooks = 64;
// Given back in one call, so that a bit for each page fits into a word.
constexpr size_t kLongestRun = 63 * kPageSize;

// Span::idle.seen is Span::allocated() + 1 (so it is never that of a new span), and how often it
// was seen to be that before, in units of kOnce; kReleased: what lies idle has been given back.
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
    if ((span->idle.seen & kAllocated) != now) {
      span->idle.seen = now;
    } else if (span->idle.seen < kIdle) {
      span->idle.seen += kOnce;
    }
    const bool is_due = span->idle.seen >= kIdle || at_once;
    if (is_due && span->idle.seen < kReleased) {
      span->idle.seen = now | kReleased;
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

// In units of OS pages, of which two or more may lie in a page, or in which two or more pages lie.
bool CentralList::ReleasePages(Span* span) {
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  const size_t unit = context_->page_heap->OsPageSize();
  const size_t size = object_size();
  const size_t first = SlotOffset(span, 0);
  const size_t carved_end = SlotOffset(span, span->carved);
  const auto is_idle = [&](size_t begin) {
    // From the slot that reaches into it.
    const size_t from = begin <= first ? first : begin - (begin - first) % size;
    return !allocated.Any(from, begin + unit);
  };
  // What was not carved holds nothing, but perhaps the memory of an earlier span.
  const size_t uncarved = RoundUp(carved_end, unit);
  const size_t end = (span->first_page + span->pages).offset();
  if (uncarved < end) context_->page_heap->Discard(uncarved, end - uncarved);
  bool any = false;
  const size_t last = RoundDown(carved_end, unit);
  for (size_t begin = span->first_page.offset(); begin < last;) {
    size_t idle_end = begin;
    while (idle_end < last && idle_end - begin < kLongestRun && is_idle(idle_end)) idle_end += unit;
    if (idle_end == begin) {
      begin += unit;
      continue;
    }
    any |= ReleaseRun(span, begin, idle_end);
    begin = idle_end;
  }
  return any;
}

bool CentralList::ReleaseRun(Span* span, size_t begin, size_t end) {
  PageMap& page_map = *context_->page_map;
  const PageId first = {static_cast<uint32_t>(begin >> kPageShift)};
  const PageId last = {static_cast<uint32_t>((end - 1) >> kPageShift)};
  uint64_t changed = 0;  // Other parts of a page may have gone back before.
  for (PageId page = first; page <= last; page = page + PageCount{1}) {
    if (page_map.class_of(page) == 0) continue;
    changed |= uint64_t{1} << (page - first).value;
    page_map.SetClass({page, {1}}, 0);
  }
  span->idle.released += static_cast<uint32_t>(std::popcount(changed));
  if (context_->page_heap->Discard(begin, end - begin)) return true;
  // A part may have gone all the same.
  for (; changed != 0; changed &= changed - 1) {
    const PageCount place = {static_cast<uint32_t>(std::countr_zero(changed))};
    RestorePage(span, first + place);
  }
  return false;
}

// Those that the slots of `objects` touch, which were just taken.
void CentralList::RestorePages(Span* span, FreeObject* const* objects, uint32_t count) {
  const PageMap& page_map = *context_->page_map;
  const auto page_of = [](size_t offset) {
    return PageId{static_cast<uint32_t>(offset >> kPageShift)};
  };
  // Their bits no longer say that they are free.
  for (uint32_t i = 0; i < count; ++i) {
    if (page_map.class_of(page_of(OffsetOf(objects[i]))) != 0) continue;
    objects[i]->SetFree(objects[i]->FreeMark(context_->mark_key));
  }
  for (uint32_t i = 0; i < count; ++i) {
    const size_t offset = OffsetOf(objects[i]);
    const PageId last = page_of(offset + object_size() - 1);
    for (PageId page = page_of(offset); page <= last; page = page + PageCount{1}) {
      if (page_map.class_of(page) == 0) RestorePage(span, page);
    }
  }
}

void CentralList::RestorePage(Span* span, PageId page) {
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  const size_t size = object_size();
  const size_t first = SlotOffset(span, 0);
  const size_t begin = page.offset();
  const size_t end = std::min(begin + kPageSize, SlotOffset(span, span->carved));
  size_t offset = begin <= first ? first : first + (begin - first + size - 1) / size * size;
  for (; offset < end; offset += size) {
    if (allocated.Test(offset)) continue;
    FreeObject* const object = ObjectAt(offset);
    object->SetFree(object->FreeMark(context_->mark_key));
  }
  context_->page_map->SetClass({page, {1}}, size_class_);
  --span->idle.released;
}

void CentralList::RemoveWithRoom(Span* span) {
  if (next_look_ == span) next_look_ = span->next;
  with_room_.Remove(span);
}

}  // namespace prairie
