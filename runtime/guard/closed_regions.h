// What is remembered of regions that have been closed: who opened and who closed them, for the
// report of a use after close, and their addresses, which stay without access until the record is
// needed for another region.
#ifndef PRAIRIE_RUNTIME_GUARD_CLOSED_REGIONS_H_
#define PRAIRIE_RUNTIME_GUARD_CLOSED_REGIONS_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

// Names are copied; a long one keeps its end.
struct ClosedRegion {
  uintptr_t begin = 0;
  size_t size = 0;  // bytes of addresses that are kept; 0: none
  void (*give_back)(uintptr_t begin, size_t size) = nullptr;
  const char* name = "";  // of the file
  const char* opened_file = "";
  unsigned opened_line = 0;
  const char* closed_file = "";  // "": by the destructor of the last handle
  unsigned closed_line = 0;
};

// Keeps the region's addresses in quarantine, and gives back those of the oldest when there are
// more than kClosedRegions or more than kClosedBytes in all. A region larger than that alone is
// given back at once, and forgotten. Thread safety: any thread.
inline constexpr int kClosedRegions = 64;
inline constexpr uint64_t kClosedBytes = uint64_t{64} << 30;
void RememberClosed(const ClosedRegion& region);

// Gives back all that is in quarantine. For tests, and for who needs the address space.
void ForgetClosed();

// If `address` lies in a closed region, writes one line about it to stderr and returns true.
// Async-signal-safe.
bool ReportUseAfterClose(uintptr_t address);

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_GUARD_CLOSED_REGIONS_H_
