#include "allocator/base/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace prairie {

Report& Report::Text(const char* text) { return Text(text, strlen(text)); }

Report& Report::Text(const char* text, size_t length) {
  if (length > kCapacity - length_) length = kCapacity - length_;
  memcpy(buffer_ + length_, text, length);
  length_ += length;
  return *this;
}

Report& Report::Quoted(const char* text, size_t length) {
  const size_t begin = length_;
  Text(text, length);
  for (size_t i = begin; i < length_; ++i) {
    const unsigned char byte = static_cast<unsigned char>(buffer_[i]);
    if (byte < 0x20 || byte == 0x7f) buffer_[i] = '?';
  }
  return *this;
}

Report& Report::Decimal(uint64_t value) {
  char digits[20];
  size_t n = 0;
  do {
    digits[sizeof digits - ++n] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return Text(digits + sizeof digits - n, n);
}

Report& Report::Hex(uint64_t value) {
  char digits[16];
  size_t n = 0;
  do {
    digits[sizeof digits - ++n] = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  return Text("0x").Text(digits + sizeof digits - n, n);
}

Report& Report::Bytes(uint64_t value) {
  static constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  int unit = 0;
  uint64_t tenths = value * 10;
  if (value > UINT64_MAX / 10) return Decimal(value).Text(" B");
  while (tenths >= 10240) {
    tenths = (tenths + 512) / 1024;
    ++unit;
  }
  Decimal(tenths / 10);
  if (tenths % 10 != 0) Text(".").Decimal(tenths % 10);
  return Text(kUnits[unit]);
}

void Report::Emit(int descriptor) {
  const int saved_errno = errno;
  buffer_[length_] = '\n';
  size_t written = 0;
  while (written < length_ + 1) {
    // The C library's write is a cancellation point, and malloc must be none; it may also belong to
    // somebody else (see linux_memory.cc).
    const long n = syscall(SYS_write, descriptor, buffer_ + written, length_ + 1 - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    written += static_cast<size_t>(n);
  }
  errno = saved_errno;
}

void Report::EmitAndAbort() {
  Emit();
  abort();
}

}  // namespace prairie
