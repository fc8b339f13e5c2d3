// One line on stderr, built without allocating, locking or stdio: usable in a signal handler.
#ifndef PRAIRIE_ALLOCATOR_BASE_REPORT_H_
#define PRAIRIE_ALLOCATOR_BASE_REPORT_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

// Collects one line (at most kCapacity bytes; more is cut) and writes it in one call.
// Thread safety: an object belongs to one thread; emitted lines do not interleave.
class Report {
 public:
  Report() = default;

  Report& Text(const char* text);
  Report& Text(const char* text, size_t length);
  // What others wrote: with ? for every control byte, which a terminal might obey.
  Report& Quoted(const char* text, size_t length);
  Report& Decimal(uint64_t value);
  // "0x" and the digits, without leading zeros.
  Report& Hex(uint64_t value);
  // With a binary unit and one decimal where it helps: "512 B", "1.5 MiB".
  Report& Bytes(uint64_t value);

  // Writes the line and a newline to `descriptor` (stderr). errno is kept. A failed write is
  // dropped: there is nowhere left to say so.
  void Emit(int descriptor = 2);
  // Writes the line, then raises SIGABRT. Must be called with no lock held: a handler for SIGABRT
  // may allocate.
  [[noreturn]] void EmitAndAbort();

  const char* text() const { return buffer_; }
  size_t length() const { return length_; }

 private:
  static constexpr size_t kCapacity = 500;
  char buffer_[kCapacity + 1] = {};
  size_t length_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_REPORT_H_
