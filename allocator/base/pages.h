// Pages as types: a page number is not a count of pages, and neither is a number of bytes.
#ifndef PRAIRIE_ALLOCATOR_BASE_PAGES_H_
#define PRAIRIE_ALLOCATOR_BASE_PAGES_H_

#include <stddef.h>
#include <stdint.h>

#include <compare>

#include "allocator/base/config.h"

namespace prairie {

// A number of pages.
struct PageCount {
  uint32_t value = 0;

  constexpr size_t bytes() const { return size_t{value} << kPageShift; }
  friend constexpr auto operator<=>(PageCount, PageCount) = default;
  friend constexpr PageCount operator+(PageCount a, PageCount b) { return {a.value + b.value}; }
  friend constexpr PageCount operator-(PageCount a, PageCount b) { return {a.value - b.value}; }
};

// The number of a page: its distance from the start of the arena, in pages.
struct PageId {
  uint32_t value = 0;

  constexpr size_t offset() const { return size_t{value} << kPageShift; }
  friend constexpr auto operator<=>(PageId, PageId) = default;
  friend constexpr PageId operator+(PageId page, PageCount n) { return {page.value + n.value}; }
  friend constexpr PageCount operator-(PageId a, PageId b) { return {a.value - b.value}; }
};

// Consecutive pages: [begin, begin + length).
struct PageRun {
  PageId begin;
  PageCount length;

  constexpr PageId end() const { return begin + length; }
  constexpr bool empty() const { return length.value == 0; }
  constexpr bool contains(PageId page) const { return page >= begin && page < end(); }
  friend constexpr bool operator==(const PageRun&, const PageRun&) = default;
};

// The fewest pages that hold `bytes`. REQUIRES: bytes <= kMaxWindow.
constexpr PageCount PagesFor(size_t bytes) {
  return {static_cast<uint32_t>((bytes + kPageSize - 1) >> kPageShift)};
}

// `value` up to the next multiple of `alignment`, a power of two.
constexpr size_t RoundUp(size_t value, size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}
constexpr size_t RoundDown(size_t value, size_t alignment) { return value & ~(alignment - 1); }
constexpr bool IsPowerOfTwo(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_PAGES_H_
