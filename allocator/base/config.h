// The constants that fix the shape of the heap. Sizes are in bytes unless the name says otherwise.
#ifndef PRAIRIE_ALLOCATOR_BASE_CONFIG_H_
#define PRAIRIE_ALLOCATOR_BASE_CONFIG_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

inline constexpr size_t kKiB = size_t{1} << 10;
inline constexpr size_t kMiB = size_t{1} << 20;
inline constexpr size_t kGiB = size_t{1} << 30;
inline constexpr uint64_t kTiB = uint64_t{1} << 40;

// Addresses of 32 bits: nothing is reserved there, and the whole address space is the window.
inline constexpr bool kNarrowAddresses = sizeof(uintptr_t) == 4;

// What a constant is with addresses of 64 bits, and with 32.
constexpr size_t ByAddressWidth(uint64_t wide, size_t narrow) {
  return kNarrowAddresses ? narrow : static_cast<size_t>(wide);
}

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

inline constexpr size_t kSmallestOsPage = 4 * kKiB;
inline constexpr size_t kHugePageSize = 2 * kMiB;

// What nobody has used for so long is idle and goes home, step by step.
inline constexpr uint64_t kEpochMilliseconds = 250;

// Where the arena wants to begin: 0x00f8'0000'0000, the address of the Go heap of 2011, whose byte
// pattern is neither ASCII nor a likely integer. With narrow addresses: at the first place, by such
// steps, where its arrays fit in below it.
inline constexpr uintptr_t kArenaHint = ByAddressWidth(uint64_t{0xf8} << 32, 0);
inline constexpr size_t kArenaHintStep = ByAddressWidth(kTiB, 16 * kMiB);

// The base of the arena is a multiple of this.
inline constexpr size_t kArenaAlignment = ByAddressWidth(4 * uint64_t{kGiB}, 4 * kMiB);

// The window: the widest range that the arena may grow to. The upper bound makes the class map
// (one byte for each page) fit the 2 GiB below the arena; see PageMap and ADR 2.
inline constexpr size_t kMinWindow = ByAddressWidth(kTiB, 64 * kMiB);
inline constexpr size_t kMaxWindow = ByAddressWidth(16 * kTiB, size_t{0} - 4 * kMiB);

// What reserved mode asks for at first; doubled in place as the heap nears its end. Emulators pay
// for each reserved GiB: qemu-user 11 ms and 6 MB.
inline constexpr size_t kInitialReservation = ByAddressWidth(4 * uint64_t{kGiB}, 0);

inline constexpr size_t kCacheLineSize = 64;

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_CONFIG_H_
