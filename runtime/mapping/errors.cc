// What the errors of the runtime library say.
#include <new>

#include "allocator/base/report.h"
#include "prairie/result.hpp"

namespace prairie {
namespace {

class MapCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "prairie"; }
  std::string message(int value) const override {
    switch (static_cast<MapError>(value)) {
      case MapError::kClosed:
        return "closed";
      case MapError::kTruncated:
        return "the file has become shorter than the range";
      case MapError::kIoError:
        return "the medium failed";
      case MapError::kOutOfRange:
        return "negative or past the end";
      case MapError::kEndOfFile:
        return "end of file";
      case MapError::kMisaligned:
        return "not at the multiple that the type or the operation needs";
      case MapError::kNotMappable:
        return "not a regular file or a block device";
      case MapError::kNotWritable:
        return "mapped for reading only";
      case MapError::kInUse:
        return "another writer has the file open";
      case MapError::kNotGrowable:
        return "not a growable file, or damaged: it has no valid header";
      case MapError::kWrongVersion:
        return "a growable file of an unknown version";
      case MapError::kReservationFull:
        return "larger than the addresses that were reserved";
      case MapError::kCommitFirst:
        return "bytes of the last commit would be overwritten before the next";
      case MapError::kBroken:
        return "an earlier write-back failed; open the file again";
      case MapError::kCancelled:
        return "cancelled";
    }
    return "unknown error " + std::to_string(value);
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<MapError>(value)) {
      case MapError::kIoError:
      case MapError::kBroken:
        return std::errc::io_error;
      case MapError::kOutOfRange:
      case MapError::kMisaligned:
        return std::errc::invalid_argument;
      case MapError::kNotWritable:
        return std::errc::permission_denied;
      case MapError::kInUse:
        return std::errc::device_or_resource_busy;
      case MapError::kCancelled:
        return std::errc::operation_canceled;
      default:
        return std::error_condition(value, *this);
    }
  }
};

}  // namespace

const std::error_category& map_category() noexcept {
  // Never destroyed: errors are looked at until the end of the process.
  alignas(MapCategory) static unsigned char storage[sizeof(MapCategory)];
  static const MapCategory& category = *new (storage) MapCategory;
  return category;
}

void end_without_value(const std::error_code& error) noexcept {
  Report()
      .Text("prairie: the value of a Result without one was used: ")
      .Text(error.message().c_str())
      .EmitAndAbort();
}

}  // namespace prairie
