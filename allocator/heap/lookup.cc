// What a pointer is, for any value of it, from flat arrays; whether a small object lives says its
// first word, too.
#include "allocator/heap/heap.h"

namespace prairie {

Lookup Heap::FindInSmall(const void* pointer, size_t offset, SizeClass c) {
  Lookup found;
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  found.span = page_map_.span_of(arena_.PageOf(address));
  // A thread that was not given the pointer may see the class before the span.
  if (PRAIRIE_UNLIKELY(found.span == nullptr)) {
    found.kind = Lookup::kWild;
    return found;
  }
  const uintptr_t span_start = AddressOf(found.span);
  const size_t size = kSizeClasses[c].size;
  found.size = size;
  found.object = arena_.base() + offset / size * size;
  const uintptr_t first = span_start + found.span->first_slot;
  if (found.object < first || found.object >= first + size_t{found.span->slots} * size ||
      !transfers_[c].central().IsAllocated(reinterpret_cast<void*>(found.object))) {
    const FreeObject* const object = reinterpret_cast<FreeObject*>(found.object);
    const bool carved =
        found.object >= first && found.object < first + size_t{found.span->carved} * size;
    const bool released = page_map_.class_of(arena_.PageOf(found.object)) == 0;
    found.kind =
        carved && (released || object->IsMarked(fast.mark_key)) ? Lookup::kFree : Lookup::kWild;
  } else if (reinterpret_cast<FreeObject*>(found.object)->IsMarked(fast.mark_key)) {
    found.kind = Lookup::kFree;  // In a thread or transfer cache.
  } else {
    found.kind = Lookup::kObject;
  }
  if (found.kind != Lookup::kWild && found.object != address) found.kind = Lookup::kInterior;
  return found;
}

Lookup Heap::Find(const void* pointer) {
  Lookup found;
  if (pointer == nullptr) {
    found.kind = Lookup::kNull;
    return found;
  }
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  const size_t offset = address - fast.arena_base;
  if (offset >= fast.extent.load(std::memory_order_acquire)) return found;
  const SizeClass c = page_map_.slots_of(arena_.PageOf(address));
  return c != 0 ? FindInSmall(pointer, offset, c) : FindOutsideSmall(address);
}

Lookup Heap::FindOutsideSmall(uintptr_t address) {
  const PageId page = arena_.PageOf(address);
  Lookup found;
  found.kind = Lookup::kWild;
  Span* const span = page_map_.span_of(page);
  if (span == nullptr) {
    if (!arena_.exclusive() && !page_heap_.IsUsable(page)) found.kind = Lookup::kForeign;
    return found;
  }
  // Each member once, as in FindInFreed; who keeps it first, for that changes last.
  const bool is_kept = span->IsKept();
  const SpanKind kind = span->kind;
  const PageRun run = {span->first_page, span->pages};
  const uintptr_t start = arena_.AddressOf(run.begin);
  if (kind == SpanKind::kLarge && !is_kept && run.contains(page)) {
    found.span = span;
    found.object = start;
    found.size = run.length.bytes();
    found.kind = start == address ? Lookup::kObject : Lookup::kInterior;
  } else if (kind == SpanKind::kMapped && run.contains(page)) {
    found.span = span;
    found.object = start;
    found.size = span->live_bytes;
    if (address - start < found.size) found.kind = Lookup::kMapped;
  } else if (kind == SpanKind::kUnused || is_kept) {
    return FindInFreed(address, span);
  }
  return found;
}

bool Heap::Owns(const void* pointer) {
  const size_t offset = reinterpret_cast<uintptr_t>(pointer) - fast.arena_base;
  if (offset >= fast.extent.load(std::memory_order_acquire)) return false;
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  return page_map_.slots_of(page) != 0 || page_map_.span_of(page) != nullptr ||
         arena_.exclusive() || page_heap_.IsUsable(page);
}

Lookup Heap::FindInFreed(uintptr_t address, Span* span) const {
  Lookup found;
  found.kind = Lookup::kWild;
  // Another thread may reuse the struct meanwhile: each member is read once, and any value is
  // borne.
  const PageRun run = {span->first_page, span->pages};
  const SizeClass c = span->size_class;
  if (!run.contains(arena_.PageOf(address))) return found;
  const uintptr_t start = arena_.AddressOf(run.begin);
  if (c != 0) {
    const size_t size = kSizeClasses[c].size;
    const uintptr_t first = start + span->first_slot;
    if (!IsSlotStart(address - arena_.base(), c) || address - first >= span->carved * size) {
      return found;
    }
    found.size = size;
  } else {
    if (address != start) return found;
    found.size = run.length.bytes();
  }
  found.kind = Lookup::kFree;
  found.span = span;
  found.object = address;
  return found;
}

Lookup Heap::FindContaining(const void* pointer) {
  const size_t offset = reinterpret_cast<uintptr_t>(pointer) - fast.arena_base;
  if (offset >= fast.extent.load(std::memory_order_acquire)) return {};
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  const SizeClass c = page_map_.slots_of(page);
  if (c == 0) {
    Lookup found = FindOutsideSmall(reinterpret_cast<uintptr_t>(pointer));
    if (found.kind == Lookup::kInterior) found.kind = Lookup::kObject;
    return found;
  }
  // A span of the class is freed, and its memory perhaps given back, only under this lock.
  SpinLockHolder holder(transfers_[c].central().lock());
  if (page_map_.slots_of(page) != c) return {};
  const Lookup found = FindInSmall(pointer, offset, c);
  if (found.kind != Lookup::kInterior) return found;
  return FindInSmall(reinterpret_cast<void*>(found.object), found.object - fast.arena_base, c);
}

}  // namespace prairie
