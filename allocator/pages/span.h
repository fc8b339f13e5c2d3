// A span: a run of pages with one purpose.
#ifndef PRAIRIE_ALLOCATOR_PAGES_SPAN_H_
#define PRAIRIE_ALLOCATOR_PAGES_SPAN_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "allocator/arena/size_classes.h"
#include "allocator/base/compiler.h"
#include "allocator/base/config.h"
#include "allocator/base/pages.h"

namespace prairie {

enum class SpanKind : uint8_t {
  kUnused,  // The struct is in the pool; its other members are stale.
  kSmall,   // Objects of one size class.
  kLarge,   // One object.
  kMapped,  // Addresses for a mapping of the program's, and a guard behind them.
};

// Invariants of a small span, under the lock of its central list:
//   allocated() <= carved <= slots
//   the allocated bits below slot `carved` number allocated(); those from it on are clear
//   it is on its central list's list of spans with room exactly when allocated() < slots
//   `idle.released` of its pages gave back memory, all of it or some OS pages: their class bytes
//   are 0, and no slot that touches what went back is allocated;
//   a free slot below `carved` that begins in one of the others is as FreeObject says
// A mapped span has entries in the page map for its first page and for those that ever were live.
// A large span that is kept (`kept_by`) holds nothing that lives, though its kind is still kLarge.
// A struct is never unmapped, and when recycled it stays a Span: a stale pointer to one is safe to
// read, and `Covers` tells whether it still speaks of a page.
struct alignas(kCacheLineSize) Span {
  PageId first_page;
  PageCount pages;
  SpanKind kind;
  SizeClass size_class;  // small spans
  bool zeroed;           // large spans: the pages read as zero when they were handed out
  bool moved;            // large spans: pages were moved in from elsewhere (see PageHeap::Move)
  uint32_t slots;        // small spans: objects that fit
  // Objects that have left the central list; and kFull where that is all of them, so that one
  // comparison with zero says of a span whether it was full or is empty.
  int32_t taken;
  uint32_t carved;      // slots ever used, in address order; the rest is untouched
  uint32_t next_hole;   // bytes to the slot where the search for a freed one begins
  uint32_t first_slot;  // bytes from the start of the span to its first slot
  Span* next;
  union {
    Span* previous;
    const char* name;  // mapped spans: what their maker calls them
  };
  union {
    struct {
      uint32_t released;  // pages of which memory went back
      uint32_t seen;      // see CentralList::ReleaseIdle
    } idle;               // small spans
    size_t live_bytes;    // mapped spans: from the start, the bytes that hold something
  };
  const void* kept_by;  // large spans: the thread that freed it and keeps it, or null

  // Whether it is a large span in use that begins at `page`. Any thread, without a lock.
  bool IsLargeAt(PageId page) {
    return std::atomic_ref(kept_by).load(std::memory_order_acquire) == nullptr && BeginsAt(page);
  }
  bool IsKept() { return std::atomic_ref(kept_by).load(std::memory_order_acquire) != nullptr; }

  // A program frees the large span that begins at `page`, and `keeper` keeps it. False, with
  // nothing changed, unless IsLargeAt. Without an atomic read-modify-write, which would wait for
  // all stores before it: of threads that do this at the same time, which is an error of the
  // program, each may succeed, but IsKeptBy tells that one alone has it.
  bool Keep(const void* keeper, PageId page) {
    if (!IsLargeAt(page)) return false;
    const std::atomic_ref keeping(kept_by);
    keeping.store(keeper, std::memory_order_relaxed);
    if (PRAIRIE_LIKELY(BeginsAt(page))) return true;
    // Freed by another way, and perhaps used again, between the two looks.
    keeping.compare_exchange_strong(keeper, nullptr);
    return false;
  }
  bool IsKeptBy(const void* keeper, PageId page) {
    return std::atomic_ref(kept_by).load(std::memory_order_relaxed) == keeper && BeginsAt(page);
  }
  // What changes with `kind` must have changed before.
  void EndKeeping() { std::atomic_ref(kept_by).store(nullptr, std::memory_order_release); }

  bool Covers(PageId page) const {
    return kind != SpanKind::kUnused && PageRun{first_page, pages}.contains(page);
  }
  static constexpr int32_t kFull = INT32_MIN;
  uint32_t allocated() const { return static_cast<uint32_t>(taken & ~kFull); }
  bool HasRoom() const { return taken >= 0; }

 private:
  bool BeginsAt(PageId page) {
    return std::atomic_ref(kind).load(std::memory_order_relaxed) == SpanKind::kLarge &&
           std::atomic_ref(first_page.value).load(std::memory_order_relaxed) == page.value;
  }
};
static_assert(sizeof(Span) == kCacheLineSize);

// A list of spans, linked through them. Thread safety: the caller serializes.
class SpanList {
 public:
  constexpr SpanList() = default;

  bool empty() const { return first_ == nullptr; }
  Span* first() const { return first_; }

  void PushFront(Span* span) {
    span->previous = nullptr;
    span->next = first_;
    (first_ != nullptr ? first_->previous : last_) = span;
    first_ = span;
  }

  void PushBack(Span* span) {
    span->next = nullptr;
    span->previous = last_;
    (last_ != nullptr ? last_->next : first_) = span;
    last_ = span;
  }

  void Remove(Span* span) {
    (span->previous != nullptr ? span->previous->next : first_) = span->next;
    (span->next != nullptr ? span->next->previous : last_) = span->previous;
    span->next = span->previous = nullptr;
  }

 private:
  Span* first_ = nullptr;
  Span* last_ = nullptr;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGES_SPAN_H_
