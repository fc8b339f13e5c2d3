// One malloc, and then what the process has mapped by then: VmSize, VmRSS and VmPTE of
// /proc/self/status in KiB, and where the dynamic linker lies (`linker_begin`, `linker_end`), so
// that its own mapping calls can be told from the others. Opening /proc/self/status marks, for a
// tracer, the end of what is to be counted.
//
//   startup

#include <fcntl.h>

#include "bench/limits/probe.h"

namespace {

// The text of a file of /proc, cut to what fits.
const char* ReadAll(const char* path) {
  static char text[256 << 10];
  size_t length = 0;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) probe::Fail(path, errno);
  for (ssize_t got; (got = read(file, text + length, sizeof text - 1 - length)) > 0;) {
    length += static_cast<size_t>(got);
  }
  close(file);
  text[length] = '\0';
  return text;
}

void PrintStatus(const char* status, const char* field) {
  const char* const line = std::strstr(status, field);
  if (line == nullptr) probe::Fail(field, 0);
  probe::Print(field, std::strtoull(line + std::strlen(field) + 1, nullptr, 10));
}

// The lowest and the highest address of the mappings whose path holds `name`.
void PrintPlace(const char* maps, const char* name) {
  unsigned long long begin = 0;
  unsigned long long end = 0;
  for (const char* line = maps; line != nullptr && *line != '\0';) {
    const char* const next = std::strchr(line, '\n');
    const char* const found = std::strstr(line, name);
    if (found != nullptr && (next == nullptr || found < next)) {
      char* rest = nullptr;
      const unsigned long long from = std::strtoull(line, &rest, 16);
      if (begin == 0) begin = from;
      end = std::strtoull(rest + 1, nullptr, 16);
    }
    line = next == nullptr ? nullptr : next + 1;
  }
  probe::Print("linker_begin", begin);
  probe::Print("linker_end", end);
}

}  // namespace

int main() {
  void* volatile block = std::malloc(100);
  if (block == nullptr) probe::Fail("malloc", errno);
  const char* const status = ReadAll("/proc/self/status");
  PrintStatus(status, "VmSize");
  PrintStatus(status, "VmRSS");
  PrintStatus(status, "VmPTE");
  PrintPlace(ReadAll("/proc/self/maps"), "/ld-linux");
  std::free(block);
  return 0;
}
