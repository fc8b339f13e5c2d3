#include "allocator/central/central_list.h"

#include <algorithm>

#include "allocator/os/linux_memory.h"

namespace prairie {

// Most programs use most classes for a few objects only: what such a class has is small, and grows
// with what is out of it.
Span* CentralList::AllocateSpan() {
  const SizeClassInfo& info = kSizeClasses[size_class_];
  PageHeap& pages = *context_->page_heap;
  const PageCount half = PagesFor(std::min(allocated_ * info.size / 2, info.span_pages.bytes()));
  if (half >= info.span_pages) {
    Span* const span = pages.Allocate(info.span_pages, info.span_alignment, SpanKind::kSmall);
    if (span != nullptr) return span;
  } else if (half > info.least_pages) {
    Span* const span = pages.Allocate(half, {1}, SpanKind::kSmall);
    if (span != nullptr) return span;
  }
  return pages.Allocate(info.least_pages, {1}, SpanKind::kSmall);
}

Span* CentralList::NewSpan() {
  const SizeClassInfo& info = kSizeClasses[size_class_];
  Span* const span = AllocateSpan();
  if (span == nullptr) return nullptr;
  const size_t start = span->first_page.offset();
  const size_t phase = start % info.size;
  span->size_class = size_class_;
  span->first_slot = phase == 0 ? 0 : static_cast<uint32_t>(info.size - phase);
  span->first_hole = span->first_slot;
  span->slots = static_cast<uint32_t>((span->pages.bytes() - span->first_slot) / info.size);
  context_->page_map->SetClass({span->first_page, span->pages}, size_class_);
  with_room_.PushFront(span);
  return span;
}

uint32_t CentralList::Fetch(FreeObject** objects, uint32_t most, ListFault* fault) {
  SpinLockHolder holder(lock_);
  Span* span = with_room_.first();
  if (span == nullptr) {
    span = NewSpan();
    if (span == nullptr) return 0;
  }
  // The allocated bits say which slots are free, so objects come in address order, and nothing has
  // to be kept in the free ones.
  BitmapPlane::Bits allocated = context_->allocated->bits();
  const uint32_t size = kSizeClasses[size_class_].size;
  const size_t begin = span->first_page.offset();
  const uint32_t count = std::min(most, span->slots - span->allocated);
  uint32_t cell = count;
  uint32_t out = span->allocated;
  size_t offset = begin + span->first_hole;
  for (uint32_t holes = span->carved - out; holes > 0 && cell > 0; offset += size) {
    if (allocated.Test(offset)) continue;
    if (PRAIRIE_UNLIKELY(span->released != 0)) RestorePages(span, offset);
    FreeObject* const object = ObjectAt(offset);
    allocated.Set(offset);
    ++out;
    --holes;
    // What was written to while it lay here is left out, and stays out, for ever.
    if (PRAIRIE_UNLIKELY(!object->IsIntact(context_->mark_key))) {
      fault->Note({ListFault::kSmashed, size_class_, object});
      continue;
    }
    objects[--cell] = object;
  }
  span->first_hole = static_cast<uint32_t>(offset - begin);
  if (cell > 0 && span->carved < span->slots) {
    const uint32_t fresh = std::min(cell, span->slots - span->carved);
    offset = begin + span->first_slot + size_t{span->carved} * size;
    for (uint32_t i = 0; i < fresh; ++i, offset += size) {
      FreeObject* const object = ObjectAt(offset);
      allocated.Set(offset);
      object->SetFree(object->FreeMark(context_->mark_key));
      objects[--cell] = object;
    }
    out += fresh;
    span->carved += fresh;
    MarkFirstUncarved(span);
  }
  if (PRAIRIE_UNLIKELY(cell > 0)) std::copy(objects + cell, objects + count, objects);
  span->allocated = out;
  allocated_ += count - cell;
  if (!span->HasRoom()) RemoveWithRoom(span);
  return count - cell;
}

// The end of an object is the likeliest address that is a slot start and yet no object. Behind the
// last carved slot nothing would show that; a mark does, where it does not touch a page for itself.
void CentralList::MarkFirstUncarved(Span* span) {
  constexpr size_t kSmallestOsPage = 4096;
  const size_t begin = span->first_page.offset();
  const size_t offset =
      begin + span->first_slot + size_t{span->carved} * kSizeClasses[size_class_].size;
  if (offset % kSmallestOsPage == 0 || offset + sizeof(FreeObject) > begin + span->pages.bytes()) {
    return;
  }
  FreeObject* const behind = ObjectAt(offset);
  behind->SetFree(behind->FreeMark(context_->mark_key));
}

bool CentralList::IsObject(const void* pointer) const {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(pointer) - context_->arena_base;
  if (offset >= context_->extent->load(std::memory_order_relaxed)) return false;
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  return context_->page_map->class_of(page) == size_class_ && IsSlotStart(offset, size_class_);
}

ListFault CentralList::Return(FreeObject* const* objects, uint32_t count) {
  bool freed_span = false;
  const ListFault fault = ReturnLocked(objects, count, &freed_span);
  // Without the lock: it may take a system call.
  if (freed_span) context_->page_heap->ReleaseIdle(MonotonicMilliseconds());
  return fault;
}

ListFault CentralList::ReturnLocked(FreeObject* const* objects, uint32_t count, bool* freed_span) {
  // Objects come from anywhere: those that will be looked at soon are fetched meanwhile.
  constexpr uint32_t kAhead = 6;
  ListFault fault;
  SpinLockHolder holder(lock_);
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  const PageMap& page_map = *context_->page_map;
  const uintptr_t arena_base = context_->arena_base;
  const uintptr_t key = context_->mark_key;
  size_t returned = 0;
  for (uint32_t i = 0; i < count; ++i) {
    FreeObject* const object = objects[i];
    __builtin_prefetch(objects[std::min(i + kAhead, count - 1)]);
    const size_t offset = reinterpret_cast<uintptr_t>(object) - arena_base;
    // Before anything else: where nothing is out there may be neither a span nor memory.
    if (PRAIRIE_UNLIKELY(!allocated.Test(offset))) {
      fault.Note({ListFault::kDoubleFree, size_class_, object});
      continue;
    }
    if (PRAIRIE_UNLIKELY(!object->IsIntact(key))) {
      fault.Note({ListFault::kSmashed, size_class_, object});
      continue;
    }
    allocated.Clear(offset);
    ++returned;
    Span* const span = page_map.span_of({static_cast<uint32_t>(offset >> kPageShift)});
    const uint32_t within = static_cast<uint32_t>(offset - span->first_page.offset());
    if (within < span->first_hole) span->first_hole = within;
    const uint32_t left = --span->allocated;
    // One test for both: it was full, or is empty.
    if (PRAIRIE_UNLIKELY(left - 1 >= span->slots - 2)) {
      if (left + 1 == span->slots) with_room_.PushFront(span);
      if (left == 0) {
        FreeSpan(span);
        *freed_span = true;
      }
    }
  }
  allocated_ -= returned;
  return fault;
}

void CentralList::FreeSpan(Span* span) {
  RemoveWithRoom(span);
  context_->page_map->SetClass({span->first_page, span->pages}, 0);
  context_->page_heap->Free(span);
}

uint32_t CentralList::MostInMagazine() const {
  constexpr uint32_t kFrugalPart = 8;
  const uint32_t most = kSizeClasses[size_class_].max_cached;
  return frugal() ? std::max(most / kFrugalPart, 1u) : most;
}

size_t CentralList::allocated_count() {
  SpinLockHolder holder(lock_);
  return allocated_;
}

bool CentralList::IsAllocated(const void* object) const {
  return IsObject(object) &&
         context_->allocated->Test(reinterpret_cast<uintptr_t>(object) - context_->arena_base);
}

}  // namespace prairie
