// The constants that fix the shape of the heap. Sizes are in bytes unless the name says otherwise.
#ifndef PRAIRIE_ALLOCATOR_BASE_CONFIG_H_
#define PRAIRIE_ALLOCATOR_BASE_CONFIG_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

inline constexpr size_t kKiB = size_t{1} << 10;
inline constexpr size_t kMiB = size_t{1} << 20;
inline constexpr size_t kGiB = size_t{1} << 30;
inline constexpr size_t kTiB = size_t{1} << 40;

// The allocator page. An OS page (4, 16 or 64 KiB) is found at run time.
inline constexpr int kPageShift = 13;
inline constexpr size_t kPageSize = size_t{1} << kPageShift;

// The granule: the smallest object, the least alignment, and one bit of the heap bitmap.
inline constexpr int kGranuleShift = 4;
inline constexpr size_t kGranuleSize = size_t{1} << kGranuleShift;

// Larger objects are spans of their own.
inline constexpr size_t kMaxSmallSize = 32 * kKiB;

// PTRDIFF_MAX: no object may be larger, or differences of pointers into it would overflow.
inline constexpr size_t kMaxObjectSize = SIZE_MAX / 2;

inline constexpr size_t kHugePageSize = 2 * kMiB;

// What nobody has used for so long is idle and goes home, step by step.
inline constexpr uint64_t kEpochMilliseconds = 250;

// Where the arena wants to begin: 0x00f8'0000'0000, the address of the Go heap of 2011, whose byte
// pattern is neither ASCII nor a likely integer.
inline constexpr uintptr_t kArenaHint = uintptr_t{0xf8} << 32;
inline constexpr size_t kArenaHintStep = kTiB;

// The window: the widest range that the arena may grow to. The upper bound makes the class map
// (one byte for each page) fit the 2 GiB below the arena; see PageMap and ADR 2.
inline constexpr size_t kMinWindow = kTiB;
inline constexpr size_t kMaxWindow = 16 * kTiB;

// What reserved mode asks for at first; doubled in place as the heap nears its end.
inline constexpr size_t kInitialReservation = 64 * kGiB;

inline constexpr size_t kCacheLineSize = 64;

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_CONFIG_H_
