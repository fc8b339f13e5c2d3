// See test_heap.h.
#include "tests/support/test_heap.h"

#include <gtest/gtest.h>

namespace prairie {

TestHeap::TestHeap(const TestHeapConfig& config) {
  os_.PutForeign(kArenaHint, 64 * kKiB);
  if (config.anywhere) {
    os_.PutForeign(kArenaHint + kArenaHintStep, 32 * kArenaHintStep);
    os_.PutForeign(64 * kKiB, 256 * kGiB);
  }
  os_.set_page_size(config.os_page_size);
  os_.set_address_space_limit(config.address_space_limit);
  os_.set_may_have_huge_pages(config.may_have_huge_pages);
  if (!arena_.Init(os_, config.unreserved)) {
    ADD_FAILURE() << "no place for the arena of a private heap";
    return;
  }
  const ArenaLayout& layout = arena_.layout();
  metadata_.Init(os_, arena_.base() - layout.metadata_distance, layout.metadata_bytes, 16 * kKiB,
                 arena_.claims_reserved());
  page_map_.Init(arena_);
  allocated_.Init(os_, arena_.base() - layout.bitmap_distance[0], layout.window,
                  arena_.claims_reserved());
  page_heap_.Init(arena_, page_map_, allocated_, metadata_, config.huge_pages, extent_);
  magazines_.Init(metadata_);
  context_ = {&page_heap_,    &page_map_,    &allocated_, &magazines_,
              &transferring_, arena_.base(), &extent_,    kMarkKey};
  for (int c = 1; c < kSizeClassCount; ++c) {
    transfers_[c].Init(static_cast<SizeClass>(c), context_);
  }
}

Span* TestHeap::SpanAt(PageId page) const {
  if (page.offset() >= extent_) return nullptr;
  Span* const span = page_map_.span_of(page);
  return span != nullptr && span->Covers(page) ? span : nullptr;
}

void TestHeap::Check() {
  page_heap_.CheckInvariants();
  CheckTransferring();
  const PageHeapStats stats = page_heap_.stats();
  EXPECT_EQ(stats.frontier_bytes, extent_.load());
  EXPECT_LE(stats.free_dirty_bytes, stats.free_bytes);
  EXPECT_LE(stats.committed_bytes, stats.peak_committed_bytes);
  PageHeapStats seen;
  const PageId end = {static_cast<uint32_t>(extent_ >> kPageShift)};
  PageId page{0};
  while (page < end && !::testing::Test::HasFailure()) {
    const Span* const span = SpanAt(page);
    if (span == nullptr) {
      EXPECT_EQ(page_map_.class_of(page), 0) << "class of free page " << page.value;
      page = page + PageCount{1};
      continue;
    }
    EXPECT_EQ(span->first_page, page) << "a span begins behind its first page";
    CheckSpan(span, &seen);
    page = span->first_page + span->pages;
  }
  if (page < end) return;  // What follows would only repeat the failure.
  EXPECT_EQ(seen.small_bytes, stats.small_bytes);
  EXPECT_EQ(seen.large_bytes, stats.large_bytes);
  EXPECT_EQ(seen.large_count, stats.large_count);
  EXPECT_EQ(stats.free_bytes + seen.small_bytes + seen.large_bytes + stats.foreign_bytes,
            stats.frontier_bytes);
}

void TestHeap::CheckTransferring() {
  size_t bytes = 0;
  SizeClass last = 0;
  for (int c = 1; c < kSizeClassCount; ++c) {
    const size_t count = transfers_[c].cached_count();
    EXPECT_EQ(transfers_[c].held(), count * kSizeClasses[c].size) << "class " << c;
    bytes += transfers_[c].held();
    if (count == 0) continue;
    EXPECT_EQ(transferring_.NextAfter(last), c) << "who has something is known";
    last = static_cast<SizeClass>(c);
  }
  const SizeClass next = transferring_.NextAfter(last);
  EXPECT_LE(next, last) << "and no other is said to have";
  EXPECT_EQ(transferring_.bytes(), bytes);
}

void TestHeap::CheckSpan(const Span* span, PageHeapStats* seen) {
  EXPECT_GT(span->pages.value, 0U);
  EXPECT_EQ(span->pages.bytes() % os_.PageSize(), 0U) << "not whole OS pages";
  EXPECT_LE((span->first_page + span->pages).offset(), extent_.load());
  if (span->kind == SpanKind::kMapped) return;  // What is there is not the heap's.
  EXPECT_TRUE(os_.Is(arena_.AddressOf(span->first_page), span->pages.bytes(),
                     FakeMemory::State::kCommitted))
      << "a span that is not committed";
  uint32_t released = 0;
  for (uint32_t i = 0; i < span->pages.value; ++i) {
    const PageId page = span->first_page + PageCount{i};
    EXPECT_EQ(page_map_.span_of(page), span) << "page " << page.value;
    const SizeClass c = page_map_.class_of(page);
    if (span->kind == SpanKind::kSmall && c == 0 && span->idle.released > 0) {
      ++released;
    } else {
      EXPECT_EQ(c, span->kind == SpanKind::kSmall ? span->size_class : 0);
    }
  }
  if (span->kind == SpanKind::kSmall) {
    EXPECT_EQ(released, span->idle.released);
  }
  if (span->kind == SpanKind::kSmall) {
    seen->small_bytes += span->pages.bytes();
    if (span->size_class != 0) CheckSlots(span);
  } else {
    EXPECT_EQ(span->kind, SpanKind::kLarge);
    seen->large_bytes += span->pages.bytes();
    ++seen->large_count;
  }
}

void TestHeap::CheckSlots(const Span* span) {
  const size_t size = kSizeClasses[span->size_class].size;
  EXPECT_LE(span->allocated(), span->carved);
  EXPECT_EQ(span->HasRoom(), span->allocated() < span->slots);
  EXPECT_LE(span->carved, span->slots);
  EXPECT_LE(span->first_slot + span->slots * size, span->pages.bytes());
  EXPECT_EQ((span->first_page.offset() + span->first_slot) % size, 0U) << "off the slot grid";
  uint32_t out = 0;
  for (uint32_t slot = 0; slot < span->slots; ++slot) {
    const bool set = allocated_.Test(span->first_page.offset() + span->first_slot + slot * size);
    const size_t offset = span->first_page.offset() + span->first_slot + slot * size;
    const auto class_at = [&](size_t place) {
      return page_map_.class_of({static_cast<uint32_t>(place >> kPageShift)});
    };
    if (set) {
      ++out;
      EXPECT_LT(slot, span->carved) << "allocated but never carved";
    } else if (slot < span->carved) {
      if (class_at(offset) != 0) {
        EXPECT_TRUE(reinterpret_cast<FreeObject*>(arena_.base() + offset)->IsIntact(kMarkKey));
      }
    }
  }
  EXPECT_EQ(out, span->allocated());
  // No bit but at the starts of slots.
  uint32_t bits = 0;
  for (size_t offset = 0; offset < span->pages.bytes(); offset += kGranuleSize) {
    if (allocated_.Test(span->first_page.offset() + offset)) ++bits;
  }
  EXPECT_EQ(bits, span->allocated());
}

}  // namespace prairie
