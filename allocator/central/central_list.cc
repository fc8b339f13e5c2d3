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
  span->next_hole = span->first_slot;
  span->slots = static_cast<uint32_t>((span->pages.bytes() - span->first_slot) / info.size);
  context_->page_map->SetClass({span->first_page, span->pages}, size_class_);
  with_room_.PushFront(span);
  return span;
}

uint32_t CentralList::Fetch(FreeObject** objects, uint32_t most) {
  SpinLockHolder holder(lock_);
  Span* span = with_room_.first();
  if (span == nullptr) {
    span = NewSpan();
    if (span == nullptr) return 0;
  }
  const uint32_t out = span->allocated();
  const uint32_t count = std::min(most, span->slots - out);
  const uint32_t holes = span->carved - out;
  if (holes < count) Carve(span, count - holes);
  TakeHoles(span, objects, count);
  if (PRAIRIE_UNLIKELY(span->idle.released != 0)) RestorePages(span, objects, count);
  span->taken += static_cast<int32_t>(count);
  allocated_ += count;
  if (out + count == span->slots) {
    span->taken += Span::kFull;
    RemoveWithRoom(span);
  }
  return count;
}

// The allocated bits say which slots are free, so nothing has to be kept in those, and none is
// touched. REQUIRES: 0 < count <= carved - allocated().
void CentralList::TakeHoles(Span* span, FreeObject** objects, uint32_t count) {
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  const size_t size = kSizeClasses[size_class_].size;
  const uint64_t pattern = kSlotPatterns[size_class_];
  const size_t begin = span->first_page.offset();
  const size_t first = SlotOffset(span, 0);
  const size_t end = SlotOffset(span, span->carved);
  // A slot in one word of bits after the other, and from the end on again from the first.
  size_t offset = begin + span->next_hole;
  for (uint32_t cell = count;;) {
    if (PRAIRIE_UNLIKELY(offset >= end)) offset = first;
    uint64_t& word = allocated.word(offset);
    const uint64_t slots = pattern << BitmapPlane::Place(offset);
    const uintptr_t word_begin = offset & -BitmapPlane::kWordBytes;
    uint64_t free = slots & ~word;
    if (PRAIRIE_UNLIKELY(end - word_begin < BitmapPlane::kWordBytes)) {
      free &= (uint64_t{1} << BitmapPlane::Place(end)) - 1;
    }
    uint64_t left = free;
    for (; left != 0 && cell > 0; left &= left - 1) {
      objects[--cell] = ObjectAt(word_begin + BitmapPlane::OffsetOfLowest(left));
    }
    word |= free ^ left;
    if (cell == 0) break;
    offset = word_begin + BitmapPlane::OffsetOfHighest(slots) + size;
  }
  span->next_hole = static_cast<uint32_t>(offset - begin);
}

// Makes the next `count` slots free objects. REQUIRES: count <= slots - carved. Each is a line of
// memory that is mostly in no cache, and stores do not wait for many of those at once: so they are
// fetched ahead, also those of which the next call will be the first to write.
void CentralList::Carve(Span* span, uint32_t count) {
  const size_t size = kSizeClasses[size_class_].size;
  const uintptr_t key = context_->mark_key;
  constexpr size_t kSlotsAhead = 8;
  uintptr_t slot = context_->arena_base + SlotOffset(span, span->carved);
  for (uint32_t i = 0; i < count; ++i, slot += size) {
    __builtin_prefetch(reinterpret_cast<const void*>(slot + kSlotsAhead * size), 1);
    FreeObject* const object = reinterpret_cast<FreeObject*>(slot);
    object->SetFree(object->FreeMark(key));
  }
  TouchBits(span, count);
  span->carved += count;
  MarkFirstUncarved(span);
}

// None of the next `count` slots is out, so words with the bits of no other are zero, and stay so.
// But were the first touch of a page of bits a read, the write that follows would be a second
// fault.
void CentralList::TouchBits(Span* span, uint32_t count) {
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  const size_t last = SlotOffset(span, span->carved + count - 1);
  if (span->carved == 0) {
    allocated.word(SlotOffset(span, 0)) = 0;
    allocated.word(last) = 0;
  } else if (SlotOffset(span, span->carved - 1) / BitmapPlane::kWordBytes !=
             last / BitmapPlane::kWordBytes) {
    allocated.word(last) = 0;
  }
}

// The end of an object is the likeliest address that is a slot start and yet no object. Behind the
// last carved slot nothing would show that; a mark does, where it does not touch a page for itself.
void CentralList::MarkFirstUncarved(Span* span) {
  const size_t offset = SlotOffset(span, span->carved);
  const size_t end = span->first_page.offset() + span->pages.bytes();
  if (offset % kSmallestOsPage == 0 || offset + sizeof(FreeObject) > end) return;
  FreeObject* const behind = ObjectAt(offset);
  behind->SetFree(behind->FreeMark(context_->mark_key));
}

bool CentralList::IsObject(const void* pointer) const {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(pointer) - context_->arena_base;
  if (offset >= context_->extent->load(std::memory_order_relaxed)) return false;
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  return context_->page_map->slots_of(page) == size_class_ && IsSlotStart(offset, size_class_);
}

ListFault CentralList::Return(FreeObject* const* objects, uint32_t count) {
  bool freed_span = false;
  const ListFault fault = ReturnLocked(objects, count, &freed_span);
  // Without the lock: it may take a system call.
  if (freed_span) context_->page_heap->ReleaseIdle(MonotonicMilliseconds());
  return fault;
}

ListFault CentralList::ReturnLocked(FreeObject* const* objects, uint32_t count, bool* freed_span) {
  ListFault fault;
  SpinLockHolder holder(lock_);
  const BitmapPlane::Bits allocated = context_->allocated->bits();
  Span* const* const spans = context_->page_map->spans();
  const uintptr_t arena_base = context_->arena_base;
  allocated_ -= count;
  for (uint32_t i = 0; i < count; ++i) {
    const size_t offset = reinterpret_cast<uintptr_t>(objects[i]) - arena_base;
    // Before anything else: where nothing is out there may be neither a span nor memory.
    if (PRAIRIE_UNLIKELY(!allocated.TestAndClear(offset))) {
      fault.Note({objects[i]});
      ++allocated_;
      continue;
    }
    Span* const span = spans[offset >> kPageShift];
    if (PRAIRIE_LIKELY(--span->taken > 0)) continue;
    if (!span->HasRoom()) {
      span->taken -= Span::kFull;
      span->next_hole = static_cast<uint32_t>(offset - span->first_page.offset());
      with_room_.PushFront(span);
    }
    if (span->taken == 0) {
      FreeSpan(span);
      *freed_span = true;
    }
  }
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
