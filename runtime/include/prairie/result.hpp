// Errors of Prairie's runtime library, and a value that may be one. Nothing here throws.
#ifndef PRAIRIE_RESULT_HPP_
#define PRAIRIE_RESULT_HPP_

#if __cplusplus < 202002L
#error "Prairie's mapped files need C++20: compile with -std=c++20"
#endif

#include <optional>
#include <system_error>
#include <utility>

namespace prairie {

// What the runtime library itself finds wrong. What the kernel says comes as its errno, in
// std::generic_category().
enum class MapError {
  kClosed = 1,       // the handle, reader or file has been closed
  kTruncated,        // the file has become shorter than the range
  kIoError,          // the medium could not give or take the bytes
  kOutOfRange,       // negative, or past the end
  kEndOfFile,        // fewer bytes than asked for were left
  kMisaligned,       // not at the multiple that the type or the operation needs
  kNotMappable,      // a directory, a pipe, a socket, a terminal
  kNotWritable,      // mapped for reading only
  kInUse,            // another writer has the file open
  kNotGrowable,      // no valid header: not a growable file, or damaged beyond recovery
  kWrongVersion,     // a growable file of a version that this library does not know
  kReservationFull,  // more than the addresses that were reserved
  kCommitFirst,      // would overwrite bytes of the last commit; a commit must come in between
  kBroken,           // an earlier write-back failed: what is on the medium is unknown
  kCancelled,        // by the caller
};

const std::error_category& map_category() noexcept;

inline std::error_code make_error_code(MapError error) noexcept {
  return {static_cast<int>(error), map_category()};
}

// Ends the program with a line about `error`, instead of which a value was expected.
[[noreturn]] void end_without_value(const std::error_code& error) noexcept;

// A value or an error. value(), * and -> end the program, with the error's text on stderr, if there
// is none: ask ok() before.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}              // NOLINT(google-explicit-constructor)
  Result(std::error_code error) noexcept : error_(error) {}  // NOLINT(google-explicit-constructor)
  Result(MapError error) noexcept : error_(make_error_code(error)) {}  // NOLINT

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  // The error; empty if ok().
  std::error_code error() const noexcept { return error_; }

  T& value() & noexcept { return Checked(); }
  const T& value() const& noexcept { return const_cast<Result*>(this)->Checked(); }
  T&& value() && noexcept { return std::move(Checked()); }
  T& operator*() & noexcept { return Checked(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(Checked()); }
  T* operator->() noexcept { return &Checked(); }
  const T* operator->() const noexcept { return &value(); }

 private:
  T& Checked() noexcept {
    if (!value_.has_value()) end_without_value(error_);
    return *value_;
  }

  std::optional<T> value_;
  std::error_code error_;
};

}  // namespace prairie

template <>
struct std::is_error_code_enum<prairie::MapError> : std::true_type {};

#endif  // PRAIRIE_RESULT_HPP_
