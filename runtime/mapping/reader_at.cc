#include "prairie/reader_at.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include "allocator/base/compiler.h"
#include "allocator/base/config.h"
#include "runtime/mapping/region.h"

namespace prairie {
namespace {

// Readers are counted in one of so many places, by thread, so that they do not share a cache line.
constexpr size_t kShards = 16;

size_t ShardOfThisThread() {
  static std::atomic<size_t> next{0};
  // Constant-initialized, so that reading it is one load.
  static PRAIRIE_THREAD_LOCAL size_t own = 0;
  if (PRAIRIE_UNLIKELY(own == 0)) own = 1 + next.fetch_add(1, std::memory_order_relaxed) % kShards;
  return own - 1;
}

}  // namespace

// A read adds itself to a count and then looks whether the reader is closed; close says so first,
// and then waits until each count has been zero. Both are sequentially consistent, so one of them
// sees the other.
struct ReaderAt::State {
  explicit State(Mapping m) : mapping(std::move(m)), size(static_cast<int64_t>(mapping.size())) {}

  struct alignas(kCacheLineSize) Shard {
    std::atomic<uint64_t> reading{0};
  };

  Mapping mapping;
  const int64_t size;
  std::atomic<bool> closed{false};
  Shard shards[kShards];
};

// A read under way, unless the reader is closed.
class ReaderAt::Reading {
 public:
  explicit Reading(State* state) : state_(state) {
    if (state_ == nullptr) return;
    shard_ = &state_->shards[ShardOfThisThread()].reading;
    shard_->fetch_add(1, std::memory_order_seq_cst);
    if (!state_->closed.load(std::memory_order_seq_cst)) return;
    End();
    state_ = nullptr;
  }
  ~Reading() {
    if (state_ != nullptr) End();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  bool allowed() const { return state_ != nullptr; }

 private:
  void End() {
    // The last to leave a closed reader wakes the closer, which looks at one count at a time.
    if (shard_->fetch_sub(1, std::memory_order_seq_cst) == 1 &&
        PRAIRIE_UNLIKELY(state_->closed.load(std::memory_order_seq_cst))) {
      shard_->notify_all();
    }
  }

  State* state_;
  std::atomic<uint64_t>* shard_ = nullptr;
};

ReaderAt::ReaderAt(Mapping mapping) : state_(std::make_shared<State>(std::move(mapping))) {
  state_->closed = !state_->mapping.is_open();
}

Result<ReaderAt> ReaderAt::open(const std::string& path, Mapping::Location opened) {
  Result<Mapping> mapping = Mapping::map(path, {}, opened);
  if (!mapping.ok()) return mapping.error();
  return ReaderAt(*std::move(mapping));
}

std::int64_t ReaderAt::size() const noexcept { return state_ == nullptr ? 0 : state_->size; }

bool ReaderAt::is_open() const noexcept {
  return state_ != nullptr && !state_->closed.load(std::memory_order_acquire);
}

// What the file still has of a range that it has not all of.
ReadResult ReaderAt::ReadOpen(std::span<std::byte> buffer, std::size_t offset) const {
  const Mapping& mapping = state_->mapping;
  std::error_code error = mapping.copy_from(offset, buffer);
  if (PRAIRIE_LIKELY(!error)) return {buffer.size(), {}};
  const std::error_code first = error;
  // It can shrink again before the next look; three times is not by accident.
  for (int look = 0; look < 3 && error == MapError::kTruncated; ++look) {
    const std::shared_ptr<Region>& region = MappingInternals::RegionOf(mapping);
    FileInfo info;
    if (region->files().Stat(region->descriptor(), &info) != 0) break;
    const uint64_t begin =
        region->file_offset() + static_cast<uint64_t>(mapping.data() + offset - region->begin());
    const uint64_t left = info.size > begin ? info.size - begin : 0;
    const size_t count = static_cast<size_t>(std::min<uint64_t>(left, buffer.size()));
    if (count == 0) break;
    error = mapping.copy_from(offset, buffer.first(count));
    if (!error) return {count, count < buffer.size() ? first : std::error_code()};
  }
  return {0, first};
}

ReadResult ReaderAt::read_at(std::span<std::byte> buffer, std::int64_t offset) const {
  const Reading reading(state_.get());
  if (PRAIRIE_UNLIKELY(!reading.allowed())) return {0, MapError::kClosed};
  if (PRAIRIE_UNLIKELY(offset < 0)) return {0, MapError::kOutOfRange};
  if (PRAIRIE_UNLIKELY(offset >= state_->size)) return {0, MapError::kEndOfFile};
  const size_t left = static_cast<size_t>(state_->size - offset);
  if (PRAIRIE_LIKELY(buffer.size() <= left)) return ReadOpen(buffer, static_cast<size_t>(offset));
  ReadResult result = ReadOpen(buffer.first(left), static_cast<size_t>(offset));
  if (!result.error) result.error = MapError::kEndOfFile;
  return result;
}

Result<std::byte> ReaderAt::at(std::int64_t index) const {
  const Reading reading(state_.get());
  if (!reading.allowed()) return MapError::kClosed;
  if (index < 0 || index >= state_->size) return MapError::kOutOfRange;
  std::byte byte;
  if (const std::error_code error =
          state_->mapping.copy_from(static_cast<size_t>(index), {&byte, 1})) {
    return error;
  }
  return byte;
}

std::error_code ReaderAt::close(Mapping::Location closed) {
  if (state_ == nullptr || state_->closed.exchange(true, std::memory_order_seq_cst)) {
    return MapError::kClosed;
  }
  for (State::Shard& shard : state_->shards) {
    for (uint64_t reading; (reading = shard.reading.load(std::memory_order_seq_cst)) != 0;) {
      shard.reading.wait(reading, std::memory_order_seq_cst);
    }
  }
  return state_->mapping.close(closed);
}

Result<SectionReader> SectionReader::of(ReaderAt reader, std::int64_t offset, std::int64_t length) {
  if (offset < 0 || length < 0) return MapError::kOutOfRange;
  // So that no end of it overflows.
  length = std::min(length, std::numeric_limits<int64_t>::max() - offset);
  return SectionReader(std::move(reader), offset, length);
}

ReadResult SectionReader::read_at(std::span<std::byte> buffer, std::int64_t offset) const {
  if (!reader_.is_open()) return {0, MapError::kClosed};
  if (offset < 0) return {0, MapError::kOutOfRange};
  if (offset >= length_) return {0, MapError::kEndOfFile};
  const uint64_t left = static_cast<uint64_t>(length_ - offset);
  if (buffer.size() <= left) return reader_.read_at(buffer, offset_ + offset);
  ReadResult result = reader_.read_at(buffer.first(static_cast<size_t>(left)), offset_ + offset);
  if (!result.error) result.error = MapError::kEndOfFile;
  return result;
}

ReadResult SectionReader::read(std::span<std::byte> buffer) {
  ReadResult result = read_at(buffer, position_);
  position_ += static_cast<int64_t>(result.count);
  if (result.count > 0 && result.error == MapError::kEndOfFile) result.error = {};
  return result;
}

Result<std::int64_t> SectionReader::seek(std::int64_t offset, Whence whence) {
  const int64_t base = whence == Whence::kStart     ? 0
                       : whence == Whence::kCurrent ? position_
                                                    : length_;
  int64_t target;
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return MapError::kOutOfRange;
  position_ = target;
  return target;
}

}  // namespace prairie
