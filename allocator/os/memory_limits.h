// Which limit stands in the way when the kernel gives no memory: read from the kernel at that
// moment, since any of them may have changed since the process began.
#ifndef PRAIRIE_ALLOCATOR_OS_MEMORY_LIMITS_H_
#define PRAIRIE_ALLOCATOR_OS_MEMORY_LIMITS_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

enum class MemoryLimit : uint8_t {
  kNone,          // nothing has failed
  kAddressSpace,  // RLIMIT_AS against VmSize
  kData,          // RLIMIT_DATA against VmData
  kOvercommit,    // vm.overcommit_memory: CommitLimit against Committed_AS, or one huge request
  kMappings,      // vm.max_map_count against the lines of /proc/self/maps
  kCgroup,        // memory.max (v2) or memory.limit_in_bytes (v1) of the cgroup or one above it
  kHeapLimit,     // Prairie's own (limit=, prairie_set_limit)
  kWindow,        // the arena can grow no further, or the request exceeds it
  kUnknown,       // none of these is reached
};

// The word for the limit as its user knows it, "RLIMIT_AS" or "vm.max_map_count".
const char* NameOf(MemoryLimit limit);

struct LimitFinding {
  MemoryLimit limit = MemoryLimit::kNone;
  // Bytes; for kMappings a number of mappings; both 0 for kNone and kUnknown.
  uint64_t value = 0;
  uint64_t used = 0;
};

// Where the limits are read.
struct LimitSources {
  const char* root = "";                      // stands before /proc and /sys: tests have their own
  uint64_t address_space_limit = UINT64_MAX;  // RLIMIT_AS in bytes; UINT64_MAX: none
  uint64_t data_limit = UINT64_MAX;           // RLIMIT_DATA, likewise

  static LimitSources OfThisProcess();
};

// The limit that keeps `request` more bytes from being had: of those that count bytes the one with
// the least room, if that is less than the request and what goes with it; else the number of
// mappings; else the cgroup, which seldom refuses (it kills). kUnknown if it is none of them. What
// cannot be read is passed over. Opens some files, makes no allocation, takes no lock, keeps errno;
// takes some tens of microseconds, or milliseconds if it has to count many mappings.
// Thread safety: any thread, also in a signal handler.
LimitFinding FindReachedLimit(const LimitSources& sources, uint64_t request);

// Whether the kernel refuses a request for the sole reason that it exceeds memory and swap
// together: vm.overcommit_memory is 0, as it is unless somebody changed it, or cannot be read.
// Opens a file, keeps errno. `root`: as in LimitSources. Thread safety: any thread, also in a
// signal handler.
bool RefusesMoreThanMemory(const char* root = "");

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_OS_MEMORY_LIMITS_H_
