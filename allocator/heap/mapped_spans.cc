// Spans of the arena for mappings of the program's.
#include "allocator/heap/heap.h"

namespace prairie {

void* Heap::TakeMapped(size_t size, size_t alignment, const char* name, bool* reserved) {
  *reserved = EnsureInitialized() && arena_.reserved();
  if (!*reserved || size > arena_.window() || alignment > kArenaAlignment) return nullptr;
  const PageCount aligned = alignment <= kPageSize ? PageCount{1} : PagesFor(alignment);
  Span* const span = page_heap_.AllocateMapped(PagesFor(size), aligned, name);
  *reserved = arena_.reserved();
  return span == nullptr ? nullptr : reinterpret_cast<void*>(AddressOf(span));
}

namespace {

// Whether `pointer` is the start of a page of the arena.
bool IsPage(const void* pointer) {
  const size_t offset = reinterpret_cast<uintptr_t>(pointer) - fast.arena_base;
  return offset < fast.extent.load(std::memory_order_acquire) && offset % kPageSize == 0;
}

}  // namespace

bool Heap::SetLive(const void* span, size_t bytes) {
  return IsPage(span) &&
         page_heap_.SetLive(arena_.PageOf(reinterpret_cast<uintptr_t>(span)), bytes);
}

bool Heap::ReturnMapped(const void* span) {
  return IsPage(span) && page_heap_.FreeMapped(arena_.PageOf(reinterpret_cast<uintptr_t>(span)));
}

const char* Heap::NameOfMapped(const void* pointer) {
  const size_t offset = reinterpret_cast<uintptr_t>(pointer) - fast.arena_base;
  if (offset >= fast.extent.load(std::memory_order_acquire)) return nullptr;
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  const Span* const span = page_map_.span_of(page);
  const bool mapped = span != nullptr && span->kind == SpanKind::kMapped && span->Covers(page);
  return mapped ? span->name : nullptr;
}

}  // namespace prairie
