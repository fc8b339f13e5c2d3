#include "allocator/os/system_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace prairie {
namespace {

// The C library's open, read and close are cancellation points; the system calls are not.
int OpenForReading(const char* path) {
  for (;;) {
    const long descriptor = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (descriptor >= 0 || errno != EINTR) return static_cast<int>(descriptor);
  }
}

}  // namespace

SystemPath& SystemPath::Append(const char* text) { return Append(text, strlen(text)); }

SystemPath& SystemPath::Append(const char* text, size_t length) {
  if (length > kCapacity - length_) {
    too_long_ = true;
    return *this;
  }
  memcpy(buffer_ + length_, text, length);
  length_ += length;
  buffer_[length_] = '\0';
  return *this;
}

SystemFile::SystemFile(const char* path) : descriptor_(OpenForReading(path)) {}

SystemFile::~SystemFile() {
  // Not again after EINTR: Linux has released the descriptor by then.
  if (descriptor_ >= 0) syscall(SYS_close, descriptor_);
}

bool SystemFile::Fill() {
  if (descriptor_ < 0) return false;
  long count;
  do {
    count = syscall(SYS_read, descriptor_, chunk_, kChunk);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  begin_ = 0;
  end_ = static_cast<size_t>(count);
  return true;
}

const char* SystemFile::NextLine() {
  size_t length = 0;
  bool anything = false;
  while (begin_ < end_ || Fill()) {
    anything = true;
    const char* const rest = chunk_ + begin_;
    const void* const newline = memchr(rest, '\n', end_ - begin_);
    const size_t piece = newline == nullptr
                             ? end_ - begin_
                             : static_cast<size_t>(static_cast<const char*>(newline) - rest);
    const size_t kept = piece < kLongestLine - length ? piece : kLongestLine - length;
    memcpy(line_ + length, rest, kept);
    length += kept;
    begin_ += piece + (newline == nullptr ? 0 : 1);
    if (newline != nullptr) break;
  }
  line_[length] = '\0';
  return anything ? line_ : nullptr;
}

const char* AfterPrefix(const char* line, const char* key) {
  const size_t length = strlen(key);
  return strncmp(line, key, length) == 0 ? line + length : nullptr;
}

bool ParseDecimal(const char* text, uint64_t* value) {
  while (*text == ' ' || *text == '\t') ++text;
  if (*text < '0' || *text > '9') return false;
  uint64_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    if (__builtin_mul_overflow(number, uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<uint64_t>(*text - '0'), &number)) {
      return false;
    }
  }
  *value = number;
  return true;
}

}  // namespace prairie
