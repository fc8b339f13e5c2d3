// The figures of the heap, gathered on request: nothing is counted on the fast path.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "allocator/base/report.h"
#include "allocator/heap/heap.h"
#include "allocator/os/file_identity.h"

namespace prairie {

HeapStats Heap::Stats() {
  HeapStats stats;
  if (!EnsureInitialized()) return stats;
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    const size_t out = transfers_[i].central().allocated_count();
    size_t cached = transfers_[i].cached_count() + threads_.cached_count(c);
    if (cached > out) cached = out;  // Other threads run while we count.
    stats.allocated_count += out - cached;
    stats.allocated_bytes += (out - cached) * kSizeClasses[i].size;
    stats.cached_bytes += cached * kSizeClasses[i].size;
  }
  stats.pages = page_heap_.stats();
  // To the page heap these are large objects that live.
  size_t recent_count = 0;
  size_t recent_bytes = 0;
  threads_.CountRecent(&recent_count, &recent_bytes);
  stats.pages.large_count -= std::min(recent_count, stats.pages.large_count);
  stats.pages.large_bytes -= std::min(recent_bytes, stats.pages.large_bytes);
  stats.cached_bytes += recent_bytes;
  stats.allocated_count += stats.pages.large_count;
  stats.allocated_bytes += stats.pages.large_bytes;
  stats.metadata_bytes = metadata_.committed_bytes() + page_map_.committed_bytes() +
                         allocated_.committed_bytes() + stats.pages.index_bytes;
  stats.reservation_bytes = arena_.reservation();
  stats.thread_count = threads_.count();
  stats.arena_base = arena_.base();
  stats.reserved = arena_.reserved();
  return stats;
}

void Heap::PrintStats(int descriptor) {
  const HeapStats s = Stats();
  Report()
      .Text("prairie: heap of process ")
      .Decimal(static_cast<uint64_t>(getpid()))
      .Text(": arena at ")
      .Hex(s.arena_base)
      .Text(", ")
      .Text(s.reserved ? "reserved " : "unreserved, window ")
      .Bytes(s.reservation_bytes)
      .Emit(descriptor);
  Report()
      .Text("prairie:   in use      ")
      .Bytes(s.allocated_bytes)
      .Text(" in ")
      .Decimal(s.allocated_count)
      .Text(" objects, of which large: ")
      .Bytes(s.pages.large_bytes)
      .Text(" in ")
      .Decimal(s.pages.large_count)
      .Emit(descriptor);
  Report()
      .Text("prairie:   cached      ")
      .Bytes(s.cached_bytes)
      .Text(" by ")
      .Decimal(s.thread_count)
      .Text(s.thread_count == 1 ? " thread" : " threads")
      .Emit(descriptor);
  Report()
      .Text("prairie:   free pages  ")
      .Bytes(s.pages.free_bytes)
      .Text(", of which ")
      .Bytes(s.pages.free_dirty_bytes)
      .Text(" not yet given back")
      .Emit(descriptor);
  Report()
      .Text("prairie:   committed   ")
      .Bytes(s.pages.committed_bytes)
      .Text(", at most ")
      .Bytes(s.pages.peak_committed_bytes)
      .Text("; metadata ")
      .Bytes(s.metadata_bytes)
      .Emit(descriptor);
  if (s.pages.limit.soft != 0 || s.pages.limit.hard != 0) {
    Report line;
    line.Text("prairie:   limit       ");
    if (s.pages.limit.hard != 0) line.Bytes(s.pages.limit.hard).Text(" hard, ");
    if (s.pages.limit.soft != 0) line.Bytes(s.pages.limit.soft).Text(" soft, ");
    line.Bytes(s.pages.counted_bytes).Text(" counted").Emit(descriptor);
  }
  if (s.pages.foreign_bytes != 0) {
    Report()
        .Text("prairie:   holes       ")
        .Bytes(s.pages.foreign_bytes)
        .Text(" of other mappings inside the arena")
        .Emit(descriptor);
  }
}

namespace {

// Where the summary at exit goes. Many programs close stderr just before they end, to see whether
// their last words were written; so a copy is kept, if a summary is wanted. Others close every
// descriptor there is, and their own files then have these numbers.
int summary_descriptor = STDERR_FILENO;
FileIdentity summary_file;

__attribute__((constructor)) void KeepStderr() {
  if (!heap.EnsureInitialized() || !heap.options().stats_at_exit) return;
  constexpr int kOutOfTheWay = 100;
  const int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kOutOfTheWay);
  if (copy >= 0) summary_descriptor = copy;  // Else stderr itself, for as long as it is open.
  summary_file = FileIdentity(summary_descriptor);
}

__attribute__((destructor)) void PrintStatsAtExit() {
  if (!heap.options().stats_at_exit) return;
  for (const int descriptor : {summary_descriptor, STDERR_FILENO}) {
    if (!FileIdentity(descriptor).IsSame(summary_file)) continue;
    heap.PrintStats(descriptor);
    return;
  }
}

}  // namespace
}  // namespace prairie
