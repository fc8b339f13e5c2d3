#include "allocator/os/process.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "allocator/os/system_file.h"

extern "C" {
extern char __libc_single_threaded __attribute__((weak));
void _IO_list_lock() __attribute__((weak));
void _IO_list_unlock() __attribute__((weak));
}

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

// Where the C library does not say whether there is one thread, it may not free its lock in the
// child.
bool HasStreams() {
  return &__libc_single_threaded != nullptr && _IO_list_lock != nullptr &&
         _IO_list_unlock != nullptr;
}

}  // namespace

bool IsSingleThreaded() {
  return &__libc_single_threaded != nullptr && __libc_single_threaded != 0;
}

void LockStreams() {
  if (HasStreams()) _IO_list_lock();
}

void UnlockStreams() {
  if (HasStreams()) _IO_list_unlock();
}

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
