// Out of memory: which limit it was, for prairie_last_failure and for verbose=1.
#include "allocator/base/report.h"
#include "allocator/heap/heap.h"

namespace prairie {
namespace {

void Say(size_t requested, const LimitFinding& found) {
  Report report;
  report.Text("prairie: out of memory: malloc(").Decimal(requested).Text("): ");
  const auto limit = [&](const char* what) -> Report& {
    return report.Text(what).Text(" is ").Bytes(found.value).Text(", ").Bytes(found.used);
  };
  switch (found.limit) {
    case MemoryLimit::kAddressSpace:
      limit("RLIMIT_AS (ulimit -v)").Text(" in use");
      break;
    case MemoryLimit::kData:
      limit("RLIMIT_DATA (ulimit -d)").Text(" in use");
      break;
    case MemoryLimit::kOvercommit:
      limit("what vm.overcommit_memory lets be committed").Text(" committed");
      break;
    case MemoryLimit::kMappings:
      report.Text("vm.max_map_count is ")
          .Decimal(found.value)
          .Text(", ")
          .Decimal(found.used)
          .Text(" mappings in use");
      break;
    case MemoryLimit::kCgroup:
      limit("the memory limit of the cgroup").Text(" in use");
      break;
    case MemoryLimit::kHeapLimit:
      limit("the limit of the heap (limit=, prairie_set_limit)").Text(" in use");
      break;
    case MemoryLimit::kWindow:
      limit("the window of the arena").Text(" in use");
      break;
    case MemoryLimit::kNone:
    case MemoryLimit::kUnknown:
      report.Text("the kernel refuses, and no limit that is known here is reached");
      break;
  }
  report.Emit();
}

}  // namespace

LimitFinding Heap::KnownReason(size_t size, MemoryLimit known) {
  if (!initialized_.load(std::memory_order_acquire)) return {};
  const PageHeapStats stats = page_heap_.stats();
  if (known == MemoryLimit::kHeapLimit) {
    return {MemoryLimit::kHeapLimit, stats.limit.hard, stats.counted_bytes};
  }
  const size_t window = arena_.window();
  const size_t frontier = stats.frontier_bytes;
  if (known == MemoryLimit::kWindow || size > window || frontier > window - size) {
    return {MemoryLimit::kWindow, window, frontier};
  }
  return {};
}

void Heap::RecordFailure(size_t size, MemoryLimit known) {
  LimitFinding found = KnownReason(size, known);
  const bool look = failures_.Begin(MonotonicMilliseconds(), size, found.limit);
  const bool ask = found.limit == MemoryLimit::kNone;
  if (ask && !look) return failures_.RecordAgain(size);
  if (ask) found = FindReachedLimit(LimitSources::OfThisProcess(), size);
  failures_.Record(found, size, ask, MonotonicMilliseconds());
  if (look && options_.verbose) Say(size, found);
}

}  // namespace prairie
