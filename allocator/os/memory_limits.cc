#include "allocator/os/memory_limits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "allocator/base/config.h"
#include "allocator/os/system_file.h"

namespace prairie {
namespace {

// What a request needs beyond its own bytes: its share of the flat arrays, whole spans for small
// objects, and what others of the process took or gave between the failure and the reading.
constexpr uint64_t kSlack = 512 * kKiB;

// A commit within a mapping splits it in three; the rest is for other threads.
constexpr uint64_t kMappingSlack = 8;

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  uint64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

// The limit with the least room of those that it was shown.
struct Tightest {
  LimitFinding finding;
  uint64_t room = UINT64_MAX;

  // `kept`: what the kernel keeps back from this process.
  void Consider(MemoryLimit limit, uint64_t value, uint64_t used, uint64_t kept = 0) {
    const uint64_t taken = SaturatingAdd(used, kept);
    const uint64_t left = value > taken ? value - taken : 0;
    if (finding.limit != MemoryLimit::kNone && left >= room) return;
    finding = {limit, value, used};
    room = left;
  }
  bool Stops(uint64_t request) const {
    return finding.limit != MemoryLimit::kNone && room < SaturatingAdd(request, kSlack);
  }
};

// The kernel's "VmSize:     1234 kB". False if the line has another key.
bool ParseKilobytes(const char* line, const char* key, uint64_t* bytes) {
  const char* const rest = AfterPrefix(line, key);
  uint64_t kilobytes;
  if (rest == nullptr || !ParseDecimal(rest, &kilobytes) || kilobytes > UINT64_MAX / kKiB) {
    return false;
  }
  *bytes = kilobytes * kKiB;
  return true;
}

bool ReadNumber(const char* root, const char* path, uint64_t* value) {
  SystemFile file(SystemPath().Append(root).Append(path).text());
  const char* const line = file.NextLine();
  return line != nullptr && ParseDecimal(line, value);
}

// Returns VmSize.
uint64_t ConsiderProcess(const LimitSources& sources, Tightest* tightest) {
  uint64_t size = 0, data = 0;
  SystemFile file(SystemPath().Append(sources.root).Append("/proc/self/status").text());
  while (const char* const line = file.NextLine()) {
    if (ParseKilobytes(line, "VmSize:", &size) && sources.address_space_limit != UINT64_MAX) {
      tightest->Consider(MemoryLimit::kAddressSpace, sources.address_space_limit, size);
    } else if (ParseKilobytes(line, "VmData:", &data) && sources.data_limit != UINT64_MAX) {
      tightest->Consider(MemoryLimit::kData, sources.data_limit, data);
    }
  }
  return size;
}

// What mode 2 keeps back from a process of `size` bytes: for the administrator, and for programs
// that are to end this one (__vm_enough_memory in mm/util.c).
uint64_t KeptBack(const LimitSources& sources, uint64_t size) {
  uint64_t administrator = 0, user = 0;
  ReadNumber(sources.root, "/proc/sys/vm/admin_reserve_kbytes", &administrator);
  ReadNumber(sources.root, "/proc/sys/vm/user_reserve_kbytes", &user);
  administrator = administrator < UINT64_MAX / kKiB ? administrator * kKiB : 0;
  user = user < size / 32 / kKiB ? user * kKiB : size / 32;
  return SaturatingAdd(administrator, user);
}

// Documentation/mm/overcommit-accounting.rst: 2 never grants more than CommitLimit in all; 0
// refuses only what exceeds memory and swap at one time; 1 refuses nothing.
void ConsiderOvercommit(const LimitSources& sources, uint64_t size, Tightest* tightest) {
  uint64_t mode;
  if (!ReadNumber(sources.root, "/proc/sys/vm/overcommit_memory", &mode) || mode == 1) return;
  uint64_t limit = 0, committed = 0, memory = 0, swap = 0;
  SystemFile file(SystemPath().Append(sources.root).Append("/proc/meminfo").text());
  while (const char* const line = file.NextLine()) {
    ParseKilobytes(line, "CommitLimit:", &limit);
    ParseKilobytes(line, "Committed_AS:", &committed);
    ParseKilobytes(line, "MemTotal:", &memory);
    ParseKilobytes(line, "SwapTotal:", &swap);
  }
  if (mode == 2 && limit != 0) {
    tightest->Consider(MemoryLimit::kOvercommit, limit, committed, KeptBack(sources, size));
  } else if (mode == 0 && memory != 0) {
    tightest->Consider(MemoryLimit::kOvercommit, memory + swap, 0);
  }
}

bool FindMappings(const LimitSources& sources, LimitFinding* finding) {
  uint64_t most;
  if (!ReadNumber(sources.root, "/proc/sys/vm/max_map_count", &most)) return false;
  uint64_t count = 0;
  SystemFile file(SystemPath().Append(sources.root).Append("/proc/self/maps").text());
  while (const char* const line = file.NextLine()) {
    // The kernel's own page, which it does not count.
    if (strstr(line, "[vsyscall]") == nullptr) ++count;
  }
  *finding = {MemoryLimit::kMappings, most, count};
  return count != 0 && count + kMappingSlack >= most;
}

// The limits of the cgroup at `path` (it ends before `length`) below `mount`, and of all above it.
void ConsiderCgroups(const LimitSources& sources, const char* mount, const char* path,
                     const char* limit_name, const char* used_name, Tightest* tightest) {
  size_t length = strlen(path);
  for (;;) {
    while (length > 0 && path[length - 1] == '/') --length;
    SystemPath directory;
    directory.Append(sources.root).Append(mount).Append(path, length);
    uint64_t limit, used;
    // "max" is no number, and no limit.
    if (ReadNumber(directory.text(), limit_name, &limit) &&
        ReadNumber(directory.text(), used_name, &used)) {
      tightest->Consider(MemoryLimit::kCgroup, limit, used);
    }
    if (length == 0) return;
    while (length > 0 && path[length - 1] != '/') --length;
  }
}

// Whether `item` is among the words that commas separate in [list, list + length).
bool ListHas(const char* list, size_t length, const char* item) {
  const size_t item_length = strlen(item);
  for (const char* const end = list + length; list < end;) {
    const void* const comma = memchr(list, ',', static_cast<size_t>(end - list));
    const char* const stop = comma == nullptr ? end : static_cast<const char*>(comma);
    if (static_cast<size_t>(stop - list) == item_length && memcmp(list, item, item_length) == 0) {
      return true;
    }
    list = stop + 1;
  }
  return false;
}

// A line of /proc/self/cgroup: "hierarchy:controllers:path"; version 2 is "0::path".
void ConsiderCgroupLine(const LimitSources& sources, const char* line, Tightest* tightest) {
  const char* const controllers = strchr(line, ':');
  const char* const path = controllers == nullptr ? nullptr : strchr(controllers + 1, ':');
  if (path == nullptr) return;
  const size_t length = static_cast<size_t>(path - controllers - 1);
  if (length == 0) {
    ConsiderCgroups(sources, "/sys/fs/cgroup", path + 1, "/memory.max", "/memory.current",
                    tightest);
  } else if (ListHas(controllers + 1, length, "memory")) {
    ConsiderCgroups(sources, "/sys/fs/cgroup/memory", path + 1, "/memory.limit_in_bytes",
                    "/memory.usage_in_bytes", tightest);
  }
}

LimitFinding Find(const LimitSources& sources, uint64_t request) {
  Tightest bytes;
  const uint64_t size = ConsiderProcess(sources, &bytes);
  ConsiderOvercommit(sources, size, &bytes);
  if (bytes.Stops(request)) return bytes.finding;
  LimitFinding mappings;
  if (FindMappings(sources, &mappings)) return mappings;
  Tightest cgroup;
  SystemFile file(SystemPath().Append(sources.root).Append("/proc/self/cgroup").text());
  while (const char* const line = file.NextLine()) ConsiderCgroupLine(sources, line, &cgroup);
  if (cgroup.Stops(request)) return cgroup.finding;
  return {MemoryLimit::kUnknown, 0, 0};
}

}  // namespace

const char* NameOf(MemoryLimit limit) {
  switch (limit) {
    case MemoryLimit::kNone:
      return "none";
    case MemoryLimit::kAddressSpace:
      return "RLIMIT_AS";
    case MemoryLimit::kData:
      return "RLIMIT_DATA";
    case MemoryLimit::kOvercommit:
      return "vm.overcommit_memory";
    case MemoryLimit::kMappings:
      return "vm.max_map_count";
    case MemoryLimit::kCgroup:
      return "cgroup";
    case MemoryLimit::kHeapLimit:
      return "limit";
    case MemoryLimit::kWindow:
      return "window";
    case MemoryLimit::kUnknown:
      break;
  }
  return "unknown";
}

LimitSources LimitSources::OfThisProcess() {
  const auto soft = [](const struct rlimit& limit) {
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : uint64_t{limit.rlim_cur};
  };
  LimitSources sources;
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) == 0) sources.address_space_limit = soft(limit);
  if (getrlimit(RLIMIT_DATA, &limit) == 0) {
    // Linux takes the hard limit in the place of a soft one of 0 (may_expand_vm in mm/mmap.c).
    if (limit.rlim_cur == 0) limit.rlim_cur = limit.rlim_max;
    sources.data_limit = soft(limit);
  }
  return sources;
}

LimitFinding FindReachedLimit(const LimitSources& sources, uint64_t request) {
  const int saved_errno = errno;
  const LimitFinding finding = Find(sources, request);
  errno = saved_errno;
  return finding;
}

bool RefusesMoreThanMemory(const char* root) {
  const int saved_errno = errno;
  uint64_t mode = 0;
  ReadNumber(root, "/proc/sys/vm/overcommit_memory", &mode);
  errno = saved_errno;
  return mode == 0;
}

}  // namespace prairie
