#include "runtime/guard/closed_regions.h"

#include <string.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "allocator/base/report.h"
#include "runtime/os/at_fork.h"

namespace prairie {
namespace {

// A record that a signal handler may read while another thread writes it: it is whole if `version`
// is even, and the same before and after.
struct Record {
  static constexpr size_t kNameBytes = 100;
  std::atomic<uint32_t> version{0};
  uintptr_t begin = 0;
  size_t size = 0;
  void (*give_back)(uintptr_t, size_t) = nullptr;
  char name[kNameBytes] = {};
  char opened[kNameBytes] = {};
  char closed[kNameBytes] = {};
  unsigned opened_line = 0;
  unsigned closed_line = 0;
};

std::mutex mutex;  // of writers

// A child of fork must not find it locked by a thread that it has not.
void KeepMutexOverFork() {
  static const int error =
      AtFork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
  static_cast<void>(error);
}

Record records[kClosedRegions];
int next_record = 0;  // the oldest, since they are used in turn
uint64_t kept_bytes = 0;

void CopyEnd(char (&to)[Record::kNameBytes], const char* from) {
  const size_t length = strlen(from);
  const size_t skipped = length < sizeof to ? 0 : length - sizeof to + 1;
  memcpy(to, from + skipped, length - skipped + 1);
}

void GiveBack(Record& record) {
  if (record.size == 0) return;
  record.version.fetch_add(1, std::memory_order_acq_rel);
  const uintptr_t begin = record.begin;
  const size_t size = record.size;
  record.begin = record.size = 0;
  record.version.fetch_add(1, std::memory_order_release);
  kept_bytes -= size;
  record.give_back(begin, size);
}

}  // namespace

void RememberClosed(const ClosedRegion& region) {
  if (region.size > kClosedBytes) {
    region.give_back(region.begin, region.size);
    return;
  }
  KeepMutexOverFork();
  std::lock_guard<std::mutex> lock(mutex);
  GiveBack(records[next_record]);
  for (int i = 1; kept_bytes + region.size > kClosedBytes && i < kClosedRegions; ++i) {
    GiveBack(records[(next_record + i) % kClosedRegions]);
  }
  Record& record = records[next_record];
  next_record = (next_record + 1) % kClosedRegions;
  record.version.fetch_add(1, std::memory_order_acq_rel);
  record.begin = region.begin;
  record.size = region.size;
  record.give_back = region.give_back;
  CopyEnd(record.name, region.name);
  CopyEnd(record.opened, region.opened_file);
  CopyEnd(record.closed, region.closed_file);
  record.opened_line = region.opened_line;
  record.closed_line = region.closed_line;
  record.version.fetch_add(1, std::memory_order_release);
  kept_bytes += region.size;
}

void ForgetClosed() {
  std::lock_guard<std::mutex> lock(mutex);
  for (Record& record : records) GiveBack(record);
}

bool ReportUseAfterClose(uintptr_t address) {
  for (Record& record : records) {
    const uint32_t version = record.version.load(std::memory_order_acquire);
    if (version % 2 != 0 || address - record.begin >= record.size) continue;
    Report report;
    report.Text("prairie: use after close: ")
        .Hex(address)
        .Text(" is byte ")
        .Decimal(address - record.begin)
        .Text(" of a mapping of ")
        .Text(record.name)
        .Text(", opened at ")
        .Text(record.opened)
        .Text(":")
        .Decimal(record.opened_line);
    if (record.closed[0] != '\0') {
      report.Text(", closed at ").Text(record.closed).Text(":").Decimal(record.closed_line);
    } else {
      report.Text(", closed when its last handle was destroyed");
    }
    // Adding nothing is a look that comes after all that was read.
    if (record.version.fetch_add(0, std::memory_order_acq_rel) != version) continue;
    report.Emit();
    return true;
  }
  return false;
}

}  // namespace prairie
