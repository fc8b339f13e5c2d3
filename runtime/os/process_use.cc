// What the kernel counts of this process: /proc/self/smaps, page faults, limits.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <algorithm>

#include "runtime/os/file_system.h"

namespace prairie {

int ReadRangeUse(const void* address, size_t size, RangeUse* use) {
  *use = {};
  const uint64_t begin = reinterpret_cast<uintptr_t>(address), end = begin + size;
  FILE* const file = fopen("/proc/self/smaps", "re");
  if (file == nullptr) return errno;
  char line[512];
  bool inside = false;
  uint64_t overlap = 0;
  while (fgets(line, sizeof line, file) != nullptr) {
    uint64_t from, to, kib;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2) {
      overlap = from < end && to > begin ? std::min(to, end) - std::max(from, begin) : 0;
      inside = overlap != 0;
    } else if (!inside) {
      continue;
    } else if (sscanf(line, "Rss: %" SCNu64 " kB", &kib) == 1) {
      use->resident += std::min(kib * 1024, overlap);
    } else if (sscanf(line, "Shared_Dirty: %" SCNu64 " kB", &kib) == 1 ||
               sscanf(line, "Private_Dirty: %" SCNu64 " kB", &kib) == 1) {
      use->dirty += std::min(kib * 1024, overlap);
    } else if (sscanf(line, "Locked: %" SCNu64 " kB", &kib) == 1) {
      use->locked += std::min(kib * 1024, overlap);
    }
  }
  const int error = ferror(file) != 0 ? EIO : 0;
  fclose(file);
  return error;
}

uint64_t AddressSpaceLimit() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

FaultCounts ReadFaultCounts() {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return {};
  return {static_cast<uint64_t>(usage.ru_minflt), static_cast<uint64_t>(usage.ru_majflt)};
}

}  // namespace prairie
