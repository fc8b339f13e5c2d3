// Size classes: the rounded sizes of small objects, generated at compile time.
//
// Sizes: multiples of 16 up to 128, then eight for each doubling up to 32 KiB, so that at most one
// part in nine of a larger object is lost to rounding; and a few between, just above a power of
// two, where a page with its header or a buffer with its length would lose the most.
// docs/size_classes.md shows the table and its waste; a test keeps it true.
//
// The slot grid: every object of a class starts at a multiple of its size *from the start of the
// arena*, whatever span it lies in. So whether a pointer is the start of an object follows from
// its class and its address alone: one multiplication, no span. A span loses the part of a slot at
// either end. Where that would matter (most sizes from 512 on) spans begin at a multiple of a page
// count that makes it nothing.
#ifndef PRAIRIE_ALLOCATOR_ARENA_SIZE_CLASSES_H_
#define PRAIRIE_ALLOCATOR_ARENA_SIZE_CLASSES_H_

#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>

#include "allocator/base/compiler.h"
#include "allocator/base/config.h"
#include "allocator/base/pages.h"

namespace prairie {

// A size class by number. 0 is "not a small object".
using SizeClass = uint8_t;

inline constexpr int kStepsPerDoubling = 8;
inline constexpr size_t kLinearLimit = 128;
// Half a step above a power of two; 1040 for a kilobyte with a length before it, and 4480 rather
// than 4352 for the pages of sqlite, 4096 + 272.
inline constexpr uint32_t kExtraSizes[] = {1040, 1088, 2176, 4480, 8704, 17408};
inline constexpr int kSizeClassCount =
    1 + 8 + 8 * kStepsPerDoubling + static_cast<int>(std::size(kExtraSizes));

struct SizeClassInfo {
  uint32_t size = 0;         // bytes in an object
  PageCount span_pages;      // pages in a span of a class that is in use
  PageCount least_pages;     // pages that hold an object wherever they begin
  PageCount span_alignment;  // spans preferably begin at a multiple of this
  uint32_t max_cached = 0;   // most objects in one magazine of a thread cache
};

namespace size_class_internal {

// The fewest pages that hold a whole number of objects.
constexpr uint32_t WholePages(uint32_t size) {
  return size / std::gcd(size, static_cast<uint32_t>(kPageSize));
}

// Long enough for a span to hold many objects (its cost is shared among them), short enough that
// a class of which a program needs little does not tie up much.
constexpr SizeClassInfo Describe(uint32_t size) {
  constexpr uint32_t kWantedObjects = 64;
  constexpr uint32_t kLeastBytes = 32 * 1024;
  constexpr uint32_t kWantedBytes = 64 * 1024;
  constexpr uint32_t kMostUnit = 40;
  constexpr uint32_t kMagazineBytes = 32 * 1024;
  constexpr uint32_t kLargestMagazine = 254;  // See MagazineStore.
  SizeClassInfo info;
  info.size = size;
  const uint32_t unit = WholePages(size);
  if (size < 512) {
    info.span_pages = PagesFor(std::max(size * kWantedObjects, kLeastBytes));
    info.span_alignment = {1};
  } else if (unit > kMostUnit) {
    info.span_pages = {kMostUnit};  // Loses a slot at the most, of hundreds.
    info.span_alignment = {1};
  } else {
    const uint32_t least = size <= 8 * 1024 ? 8 : 4;
    uint32_t pages = unit;
    while (pages * kPageSize < size * least ||
           (pages * kPageSize < size * kWantedObjects && pages * kPageSize < kWantedBytes)) {
      pages += unit;
    }
    info.span_pages = {pages};
    info.span_alignment = {unit};
  }
  info.least_pages = PagesFor(2 * size - kGranuleSize);
  info.max_cached = kMagazineBytes / size;
  if (info.max_cached > kLargestMagazine) info.max_cached = kLargestMagazine;
  if (info.max_cached < 2) info.max_cached = 2;
  return info;
}

constexpr std::array<SizeClassInfo, kSizeClassCount> MakeInfo() {
  std::array<SizeClassInfo, kSizeClassCount> table{};
  const uint32_t* extra = std::begin(kExtraSizes);
  uint32_t size = 0;
  for (int c = 1; c < kSizeClassCount; ++c) {
    uint32_t step = kGranuleSize;
    for (uint32_t limit = kLinearLimit; size >= limit; limit *= 2) {
      step = limit / kStepsPerDoubling;
    }
    if (extra != std::end(kExtraSizes) && *extra < size + step) {
      table[c] = Describe(*extra++);
    } else {
      size += step;
      table[c] = Describe(size);
    }
  }
  return table;
}

}  // namespace size_class_internal

inline constexpr std::array<SizeClassInfo, kSizeClassCount> kSizeClasses =
    size_class_internal::MakeInfo();
static_assert(kSizeClasses[kSizeClassCount - 1].size == kMaxSmallSize);

namespace size_class_internal {

constexpr std::array<SizeClass, kMaxSmallSize / kGranuleSize + 1> MakeClassOfSize() {
  std::array<SizeClass, kMaxSmallSize / kGranuleSize + 1> table{};
  SizeClass c = 1;
  for (size_t granules = 0; granules < table.size(); ++granules) {
    if (granules * kGranuleSize > kSizeClasses[c].size) ++c;
    table[granules] = c;
  }
  return table;
}

constexpr std::array<uint64_t, kSizeClassCount> MakeReciprocals() {
  std::array<uint64_t, kSizeClassCount> table{};
  for (int c = 1; c < kSizeClassCount; ++c) table[c] = UINT64_MAX / kSizeClasses[c].size + 1;
  return table;
}

// A bit for each granule: those at multiples of the size.
constexpr std::array<uint64_t, kSizeClassCount> MakeSlotPatterns() {
  std::array<uint64_t, kSizeClassCount> table{};
  for (int c = 1; c < kSizeClassCount; ++c) {
    for (uint32_t bit = 0; bit < 64; bit += kSizeClasses[c].size / kGranuleSize) {
      table[c] |= uint64_t{1} << bit;
    }
  }
  return table;
}

}  // namespace size_class_internal

// The class for each number of granules.
alignas(kCacheLineSize) inline constexpr auto kClassOfGranules =
    size_class_internal::MakeClassOfSize();

// ceil(2^64 / size), and 0 for class 0.
alignas(kCacheLineSize) inline constexpr auto kReciprocals = size_class_internal::MakeReciprocals();

// Of 64 granules from the start of a slot on, those that start one.
inline constexpr auto kSlotPatterns = size_class_internal::MakeSlotPatterns();

PRAIRIE_ALWAYS_INLINE size_t GranulesFor(size_t size) {
  return (size + kGranuleSize - 1) >> kGranuleShift;
}

// The smallest class that holds `size` bytes. REQUIRES: size <= kMaxSmallSize.
PRAIRIE_ALWAYS_INLINE SizeClass ClassOfSize(size_t size) {
  return kClassOfGranules[GranulesFor(size)];
}

// Whether `offset` (bytes from the start of the arena) is a multiple of the size of class `c`.
// False for class 0. Exact for offsets below kMaxWindow.
// Source: D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation" (2019), section
// 3.2: with m = ceil(2^64 / d), d divides n exactly when (n * m mod 2^64) < m, as long as
// n + d < 2^64 / d. Here n < 2^44 and d <= 2^15.
PRAIRIE_ALWAYS_INLINE bool IsMultiple(uint64_t offset, const uint64_t& reciprocal) {
  return IsProductLess(offset, reciprocal);
}
PRAIRIE_ALWAYS_INLINE bool IsSlotStart(uint64_t offset, SizeClass c) {
  return IsMultiple(offset, kReciprocals[c]);
}

// offset / size of class `c`, rounded down, by the same reciprocal. REQUIRES: c != 0.
PRAIRIE_ALWAYS_INLINE uint64_t SlotOf(uint64_t offset, SizeClass c) {
  return MultiplyHigh(offset, kReciprocals[c]);
}

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_ARENA_SIZE_CLASSES_H_
