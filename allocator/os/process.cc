#include "allocator/os/process.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "allocator/os/system_file.h"

namespace prairie {
namespace {

// "pid (name) state ppid …": the name may contain anything, the state is the third field.
constexpr int kState = 3;
constexpr int kThreads = 20;

bool IsOneThreadLeftIn(const char* line) {
  const char* const name_end = line == nullptr ? nullptr : strrchr(line, ')');
  if (name_end == nullptr || strncmp(name_end, ") Z ", 4) != 0) return false;
  const char* field = name_end + 2;
  for (int i = kState; i < kThreads; ++i) {
    field = strchr(field, ' ');
    if (field == nullptr) return false;
    ++field;
  }
  uint64_t threads = 0;
  return ParseDecimal(field, &threads) && threads == 2;  // The main one still counts.
}

}  // namespace

bool IsOneThreadLeft(const char* stat) {
  const int saved_errno = errno;
  bool result;
  {
    SystemFile file(stat);
    result = IsOneThreadLeftIn(file.NextLine());
  }
  errno = saved_errno;
  return result;
}

}  // namespace prairie
