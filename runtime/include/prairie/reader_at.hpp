// ReaderAt: positioned reads of a mapped file with the contract of Go's io.ReaderAt.
#ifndef PRAIRIE_READER_AT_HPP_
#define PRAIRIE_READER_AT_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include "prairie/mapping.hpp"
#include "prairie/result.hpp"

namespace prairie {

// How many bytes were read, and, if that is fewer than were asked for, why.
struct ReadResult {
  std::size_t count = 0;
  std::error_code error;
};

// Reads bytes of a mapping by their offset. A read never waits, but for the medium, and never
// raises SIGBUS.
//
// read_at(buffer, offset), in this order:
//   closed                               0, kClosed
//   offset < 0                           0, kOutOfRange
//   offset >= size()                     0, kEndOfFile, also for an empty buffer
//   fewer bytes left than the buffer has what is left, kEndOfFile
//   the file has become shorter          what it still has of the range, kTruncated
//   the medium fails                     0, kIoError
//   else                                 the whole buffer, no error
// Of the buffer, only the first `count` bytes mean anything.
//
// Copies are the same reader: closing one closes all. Thread safety: any thread may call anything
// but assignment, close included: it waits for the reads that are under way, and reads that come
// later answer kClosed. It costs a read two atomic additions, in memory of few threads.
class ReaderAt {
 public:
  // A closed one.
  ReaderAt() noexcept = default;

  // Of a file. Errors: as Mapping::map.
  static Result<ReaderAt> open(const std::string& path,
                               Mapping::Location opened = Mapping::Location::current());
  // Of a mapping, which it keeps.
  explicit ReaderAt(Mapping mapping);

  ReadResult read_at(std::span<std::byte> buffer, std::int64_t offset) const;

  // One byte: kClosed, kOutOfRange (negative, or not below size()), kTruncated, kIoError.
  Result<std::byte> at(std::int64_t index) const;

  // Bytes when it was opened; stays when it is closed.
  std::int64_t size() const noexcept;
  bool is_open() const noexcept;

  // kClosed the second time. Nothing else fails but what Mapping::close does.
  std::error_code close(Mapping::Location closed = Mapping::Location::current());

 private:
  struct State;
  class Reading;
  ReadResult ReadOpen(std::span<std::byte> buffer, std::size_t offset) const;

  std::shared_ptr<State> state_;
};

enum class Whence : std::uint8_t { kStart, kCurrent, kEnd };

// A part of a ReaderAt, from 0 on, with a position: as Go's io.SectionReader. Its read_at has the
// contract above, with the section's end as the end of the file. A section that reaches past the
// end of the file ends there when it is read.
// Thread safety: read_at and size, any thread; read and seek move the position: one thread.
class SectionReader {
 public:
  // kOutOfRange if `offset` or `length` is negative.
  static Result<SectionReader> of(ReaderAt reader, std::int64_t offset, std::int64_t length);

  ReadResult read_at(std::span<std::byte> buffer, std::int64_t offset) const;
  // Reads on from the position. At the end: 0, kEndOfFile; before it a short read is no error.
  ReadResult read(std::span<std::byte> buffer);
  // Sets the position, any place from 0 on; returns it. kOutOfRange, with nothing changed, if it
  // would be negative.
  Result<std::int64_t> seek(std::int64_t offset, Whence whence);
  std::int64_t size() const noexcept { return length_; }

 private:
  SectionReader(ReaderAt reader, std::int64_t offset, std::int64_t length)
      : reader_(std::move(reader)), offset_(offset), length_(length) {}

  ReaderAt reader_;
  std::int64_t offset_;
  std::int64_t length_;
  std::int64_t position_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_READER_AT_HPP_
