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
  span->slots = static_cast<uint32_t>((span->pages.bytes() - span->first_slot) / info.size);
  context_->page_map->SetClass({span->first_page, span->pages}, size_class_);
  with_room_.PushFront(span);
  return span;
}

ObjectList CentralList::Fetch(uint32_t most, ListFault* fault) {
  SpinLockHolder holder(lock_);
  Span* span = with_room_.first();
  if (span == nullptr) {
    span = NewSpan();
    if (span == nullptr) return {};
  }
  // The allocated bits say which slots are free, so objects come in address order and free ones
  // need no links while they lie here: nothing to smash, and no walk through cold memory.
  const uint32_t size = kSizeClasses[size_class_].size;
  const size_t first = span->first_page.offset() + span->first_slot;
  ObjectList list;
  FreeObject* last = nullptr;
  // Links `object` behind `last`, whose own link is written when its successor is known.
  const auto take = [&](uint32_t slot, bool was_used) {
    const size_t offset = first + size_t{slot} * size;
    FreeObject* const object = reinterpret_cast<FreeObject*>(context_->arena_base + offset);
    // What was written to while it lay here is left out, and stays out, for ever.
    const bool sound = !was_used || object->IsFree(context_->mark_key);
    context_->allocated->Set(offset);
    ++span->allocated;
    if (!sound) {
      if (fault->kind == ListFault::kNone) *fault = {ListFault::kSmashed, size_class_, object};
      return;
    }
    if (last == nullptr) {
      list.head = object;
    } else {
      last->Link(object, context_->mark_key);
    }
    last = object;
    ++list.count;
  };
  uint32_t holes = span->carved - span->allocated;
  uint32_t slot = span->first_hole;
  for (; holes > 0 && list.count < most; ++slot) {
    if (context_->allocated->Test(first + size_t{slot} * size)) continue;
    take(slot, true);
    --holes;
  }
  span->first_hole = slot;
  if (list.count < most && span->carved < span->slots) {
    do {
      take(span->carved++, false);
    } while (list.count < most && span->carved < span->slots);
    MarkFirstUncarved(span);
  }
  if (last != nullptr) last->Link(nullptr, context_->mark_key);
  allocated_ += list.count;
  if (!span->HasRoom()) with_room_.Remove(span);
  return list;
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
  reinterpret_cast<FreeObject*>(context_->arena_base + offset)->Link(nullptr, context_->mark_key);
}

bool CentralList::IsObject(const void* pointer) const {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(pointer) - context_->arena_base;
  if (offset >= context_->extent->load(std::memory_order_relaxed)) return false;
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  return context_->page_map->class_of(page) == size_class_ && IsSlotStart(offset, size_class_);
}

ListFault CentralList::Return(ObjectList list) {
  bool freed_span = false;
  const ListFault fault = ReturnLocked(list, &freed_span);
  // Without the lock: it may take a system call.
  if (freed_span) context_->page_heap->ReleaseIdle(MonotonicMilliseconds());
  return fault;
}

ListFault CentralList::ReturnLocked(ObjectList list, bool* freed_span) {
  ListFault fault;
  const auto note = [&](ListFault::Kind kind, void* object) {
    if (fault.kind == ListFault::kNone) fault = {kind, size_class_, object};
  };
  SpinLockHolder holder(lock_);
  const uintptr_t base = context_->arena_base;
  // Neighbours on a list are often neighbours in memory: what belongs to one span is put together.
  Span* span = nullptr;
  size_t span_begin = 0, span_bytes = 0;
  uint32_t returned = 0;
  size_t lowest = 0;
  const auto finish_span = [&] {
    if (returned == 0) return;
    allocated_ -= returned;
    *freed_span |= TakeBack(span, returned, lowest);
    returned = 0;
  };
  FreeObject* object = list.head;
  for (uint32_t i = 0; i < list.count; ++i) {
    // A link is followed only from an object that vouches for it, so this one is readable.
    if (PRAIRIE_UNLIKELY(!object->IsFree(context_->mark_key))) {
      note(ListFault::kSmashed, object);
      break;
    }
    FreeObject* const next = object->next;
    const size_t offset = reinterpret_cast<uintptr_t>(object) - base;
    if (PRAIRIE_UNLIKELY(!context_->allocated->Clear(offset))) {
      note(ListFault::kDoubleFree, object);
    } else {
      if (offset - span_begin >= span_bytes) {
        finish_span();
        span = context_->page_map->span_of({static_cast<uint32_t>(offset >> kPageShift)});
        span_begin = span->first_page.offset();
        span_bytes = span->pages.bytes();
        lowest = offset;
      }
      if (offset < lowest) lowest = offset;
      ++returned;
    }
    object = next;
  }
  finish_span();
  return fault;
}

bool CentralList::TakeBack(Span* span, uint32_t count, size_t lowest) {
  if (!span->HasRoom()) with_room_.PushFront(span);
  span->allocated -= count;
  if (span->allocated == 0) {
    with_room_.Remove(span);
    context_->page_map->SetClass({span->first_page, span->pages}, 0);
    context_->page_heap->Free(span);
    return true;
  }
  const size_t first = span->first_page.offset() + span->first_slot;
  const uint32_t slot = static_cast<uint32_t>(SlotOf(lowest - first, size_class_));
  if (slot < span->first_hole) span->first_hole = slot;
  return false;
}

uint32_t CentralList::LongestList() const {
  constexpr uint32_t kFrugalPart = 8;
  const uint32_t most = kSizeClasses[size_class_].max_list;
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
