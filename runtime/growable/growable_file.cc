#include "prairie/growable_file.hpp"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <atomic>

#include "runtime/growable/file_header.h"
#include "runtime/growable/growable_internals.h"
#include "runtime/guard/signals.h"
#include "runtime/mapping/region.h"

namespace prairie {
namespace {

constexpr uint64_t kLargestStep = uint64_t{1} << 30;
constexpr uint64_t kDefaultReserve = uint64_t{16} << 30;
constexpr size_t kLargeAppend = 1024;
constexpr uint64_t kMostPrepared = uint64_t{256} << 10;

uintptr_t Copy(void* to, const void* from, size_t size) {
  memcpy(to, from, size);
  return 0;
}
uintptr_t Zero(void* to, const void*, size_t size) {
  memset(to, 0, size);
  return 0;
}

}  // namespace

// Offsets and sizes are of the data; those of the file are kHeaderBytes more.
// Invariants: committed.size and size are at most capacity; the file has blocks for capacity, and
// they are mapped; bytes from zero_from on, up to capacity, are zero; committed.size <= prepared.
struct GrowableFile::State {
  FileSystem& files;
  std::shared_ptr<Region> region;
  const bool writable;
  uint64_t reserve = 0;
  FileHeader committed;
  FileHeader next;  // the root of the next commit
  std::atomic<uint64_t> size{0};
  std::atomic<uint64_t> committed_size{0};
  uint64_t capacity = 0;
  uint64_t zero_from = 0;
  uint64_t prepared = 0;  // bytes below have been written once: see Prepare
  bool broken = false;
  size_t page;

  State(FileSystem& f, bool w) : files(f), writable(w), page(f.PageSize()) {}

  int descriptor() const { return region->descriptor(); }
  std::byte* data() const { return region->begin() + kHeaderBytes; }

  uint64_t FileBytes(uint64_t data_bytes) const {
    return (kHeaderBytes + data_bytes + page - 1) / page * page;
  }

  std::error_code Run(RecoverableFunction function, void* to, const void* from, size_t bytes) {
    uintptr_t ignored;
    const Fault fault = RunGuarded(to, bytes, function, to, from, bytes, &ignored);
    return fault.code == 0 ? std::error_code() : region->Classify(fault);
  }

  std::error_code CheckWritable() const {
    if (!writable) return MapError::kNotWritable;
    return broken ? MapError::kBroken : std::error_code();
  }

  std::error_code Born(const std::string& path);
  std::error_code MapAll();
  std::error_code Grow(uint64_t needed);
  int GrowTo(uint64_t file_bytes);
  std::error_code ZeroUpTo(uint64_t end);
  std::error_code Write(uint64_t at, std::span<const std::byte> bytes);
  void Prepare();
};

// Makes an empty file of what is there, in such an order that a crash leaves one that is unborn.
std::error_code GrowableFile::State::Born(const std::string& path) {
  int error = files.Truncate(descriptor(), 0);
  if (error == 0) error = files.Truncate(descriptor(), kHeaderBytes);
  // A header in a file that is shorter would be one of a file that was cut.
  if (error == 0) error = files.SyncData(descriptor());
  if (error == 0) error = WriteHeader(files, descriptor(), committed);
  if (error == 0) error = files.SyncParent(path.c_str());
  return FromErrno(error);
}

// Maps the file as it is found.
std::error_code GrowableFile::State::MapAll() {
  FileInfo info;
  if (const int error = files.Stat(descriptor(), &info); error != 0) return FromErrno(error);
  if (info.size < kHeaderBytes || committed.size > info.size - kHeaderBytes) {
    return MapError::kTruncated;
  }
  uint64_t bytes = info.size;
  if (writable) {
    // The blocks of holes, too, that a copy of the file may have got.
    bytes = FileBytes(bytes - kHeaderBytes);
    if (bytes > kHeaderBytes + reserve) return MapError::kReservationFull;
    const int error = files.Allocate(descriptor(), 0, bytes);
    if (error != 0) return FromErrno(error);
  }
  // A reader has nothing of an incomplete page at the end but what the commit says.
  const uint64_t mapped = FileBytes(bytes - kHeaderBytes);
  if (mapped > kHeaderBytes + reserve) return MapError::kReservationFull;
  if (const int error = region->MapMore(mapped, writable); error != 0) return FromErrno(error);
  capacity = bytes - kHeaderBytes;
  zero_from = capacity;  // What is behind the commit may be left from a crash.
  prepared = capacity;
  return {};
}

int GrowableFile::State::GrowTo(uint64_t file_bytes) {
  const uint64_t before = region->size();
  int error = files.Allocate(descriptor(), before, file_bytes - before);
  if (error == 0) error = region->MapMore(file_bytes, true);
  // Blocks that were had all the same would only be in the way.
  if (error != 0) files.Truncate(descriptor(), before);
  return error;
}

std::error_code GrowableFile::State::Grow(uint64_t needed) {
  if (needed <= capacity) return {};
  if (needed > reserve) return MapError::kReservationFull;
  const uint64_t doubled = capacity + std::min(std::max(capacity, uint64_t{page}), kLargestStep);
  const uint64_t wanted = FileBytes(std::min(std::max(doubled, needed), reserve));
  const uint64_t least = FileBytes(needed);
  int error = GrowTo(wanted);
  if (error != 0 && least < wanted) error = GrowTo(least);
  if (error != 0) return FromErrno(error);
  capacity = region->size() - kHeaderBytes;
  return {};
}

// Bytes from size on that the file may hold are to be zero up to `end`.
std::error_code GrowableFile::State::ZeroUpTo(uint64_t end) {
  const uint64_t from = size, dirty_end = std::min(end, zero_from);
  if (from >= dirty_end) return {};
  return Run(Zero, data() + from, nullptr, static_cast<size_t>(dirty_end - from));
}

// A store into the mapping costs a page fault where nothing has been written since the last commit;
// for many at once, a system call is cheaper. Both write the same page cache.
std::error_code GrowableFile::State::Write(uint64_t at, std::span<const std::byte> bytes) {
  if (bytes.size() < kLargeAppend) return Run(Copy, data() + at, bytes.data(), bytes.size());
  // What a store would meet as a fault, and a write would not: a file that somebody has cut.
  FileInfo info;
  if (const int error = files.Stat(descriptor(), &info); error != 0) return FromErrno(error);
  if (info.size < region->size()) return MapError::kTruncated;
  return FromErrno(files.WriteAt(descriptor(), bytes.data(), bytes.size(), kHeaderBytes + at));
}

// A block that was allocated and never written costs the commit that first writes it a transaction
// of the file system's journal, which notes that it now holds something. So where commits are
// small, one of them writes zeros ahead of the data, and those that follow only overwrite.
void GrowableFile::State::Prepare() {
  if (size <= prepared) return;
  const uint64_t ahead = std::min<uint64_t>(size, kMostPrepared);
  const bool small = size - prepared < ahead;
  const uint64_t from = FileBytes(size);
  prepared = size;
  const uint64_t to = std::min(FileBytes(size + ahead), region->size());
  if (!small || from >= to) return;
  static const char zeros[kMostPrepared + (64 << 10)] = {};
  const uint64_t bytes = std::min<uint64_t>(to - from, sizeof zeros);
  // They were zero before. If it fails, commits are as slow as without it; if the medium fails, the
  // commit will hear of it.
  if (files.WriteAt(descriptor(), zeros, static_cast<size_t>(bytes), from) == 0) {
    prepared = from + bytes - kHeaderBytes;
  }
}

Result<GrowableFile> GrowableInternals::Open(FileSystem& files, const std::string& path,
                                             const GrowableOptions& options, const Origin& opened) {
  if (const int error = InstallBusHandler(); error != 0) return FromErrno(error);
  auto state = std::make_unique<GrowableFile::State>(files, options.write);
  if (options.reserve > PTRDIFF_MAX - kHeaderBytes - state->page) return FromErrno(EINVAL);
  int descriptor;
  int error =
      files.Open(path.c_str(), {.write = options.write, .create = options.write && options.create},
                 &descriptor);
  if (error == EISDIR || error == ENXIO) return MapError::kNotMappable;
  if (error != 0) return FromErrno(error);
  FileInfo info;
  error = files.Stat(descriptor, &info);
  if (error != 0 || info.type != FileType::kRegular) {
    files.Close(descriptor);
    return error != 0 ? FromErrno(error) : MapError::kNotMappable;
  }
  uint64_t reserve = options.reserve;
  if (reserve == 0) {
    reserve = std::min(kDefaultReserve, AddressSpaceLimit() / 8);
    reserve = std::max(reserve, info.size + options.first_capacity);
  }
  state->reserve = state->FileBytes(reserve) - kHeaderBytes;
  state->region = std::make_shared<Region>(files, path, opened);
  error = state->region->Reserve(descriptor, kHeaderBytes + state->reserve, options.in_arena);
  if (error != 0) return FromErrno(error);
  if (options.write) {
    error = files.LockFile(descriptor);
    if (error == EWOULDBLOCK) return MapError::kInUse;
    if (error != 0) return FromErrno(error);
  }
  std::error_code failed = ReadHeader(files, descriptor, &state->committed);
  bool unborn = false;
  if (failed == MapError::kNotGrowable && options.write && options.create) {
    if (error = IsUnborn(files, descriptor, &unborn); error != 0) return FromErrno(error);
    if (unborn) failed = state->Born(path);
  }
  // A writer that was killed, or whose last wait failed, may have left a header that only the page
  // cache has. It must be on the medium before anything that it does not speak of is overwritten.
  if (!failed && options.write && !unborn) {
    failed = FromErrno(WriteHeader(files, descriptor, state->committed));
  }
  if (!failed) failed = state->MapAll();
  if (failed) return failed;
  state->next = state->committed;
  state->size = state->committed_size = state->committed.size;
  if (unborn) {
    failed = state->Grow(std::min(options.first_capacity, state->reserve));
    if (failed) return failed;
  }
  return GrowableFile(std::move(state));
}

GrowableFile::GrowableFile() noexcept = default;
GrowableFile::GrowableFile(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
GrowableFile::GrowableFile(GrowableFile&&) noexcept = default;
GrowableFile& GrowableFile::operator=(GrowableFile&& other) noexcept {
  if (this != &other) {
    this->close();
    state_ = std::move(other.state_);
  }
  return *this;
}
GrowableFile::~GrowableFile() { this->close(); }

Result<GrowableFile> GrowableFile::open(const std::string& path, const GrowableOptions& options,
                                        Location opened) {
  return GrowableInternals::Open(SystemFiles(), path, options, opened);
}

const std::byte* GrowableFile::data() const noexcept {
  return state_ == nullptr ? nullptr : state_->data();
}
std::uint64_t GrowableFile::size() const noexcept {
  return state_ == nullptr ? 0 : state_->size.load(std::memory_order_acquire);
}
std::uint64_t GrowableFile::committed_size() const noexcept {
  return state_ == nullptr ? 0 : state_->committed_size.load(std::memory_order_acquire);
}
std::uint64_t GrowableFile::capacity() const noexcept {
  return state_ == nullptr ? 0 : state_->capacity;
}
std::uint64_t GrowableFile::sequence() const noexcept {
  return state_ == nullptr ? 0 : state_->committed.sequence;
}

std::span<std::byte> GrowableFile::uncommitted() noexcept {
  if (state_ == nullptr || !state_->writable) return {};
  const uint64_t from = std::min(committed_size(), size());
  return {state_->data() + from, static_cast<size_t>(size() - from)};
}

std::span<std::byte> GrowableFile::all_bytes_unsafe() noexcept {
  if (state_ == nullptr || !state_->writable) return {};
  return {state_->data(), static_cast<size_t>(size())};
}

Result<Mapping> GrowableFile::mapping() const {
  if (state_ == nullptr) return MapError::kClosed;
  return MappingInternals::View(state_->region, state_->data(), static_cast<size_t>(size()), false);
}

Result<std::uint64_t> GrowableFile::append(std::span<const std::byte> bytes) {
  if (state_ == nullptr) return MapError::kClosed;
  State& state = *state_;
  if (const std::error_code error = state.CheckWritable()) return error;
  const uint64_t at = state.size;
  if (bytes.empty()) return at;
  if (at < state.committed.size) return MapError::kCommitFirst;
  if (bytes.size() > state.reserve - at) return MapError::kReservationFull;
  const uint64_t end = at + bytes.size();
  if (const std::error_code error = state.Grow(end)) return error;
  // From here on they are no longer known to be zero, whether the copy succeeds or not.
  state.zero_from = std::max(state.zero_from, end);
  if (const std::error_code error = state.Write(at, bytes)) return error;
  state.size.store(end, std::memory_order_release);
  return at;
}

std::error_code GrowableFile::resize(std::uint64_t size) {
  if (state_ == nullptr) return MapError::kClosed;
  State& state = *state_;
  if (const std::error_code error = state.CheckWritable()) return error;
  if (size > state.size) {
    if (state.size < state.committed.size) return MapError::kCommitFirst;
    if (const std::error_code error = state.Grow(size)) return error;
    if (const std::error_code error = state.ZeroUpTo(size)) return error;
    state.zero_from = std::max(state.zero_from, size);
  }
  state.size.store(size, std::memory_order_release);
  return {};
}

std::error_code GrowableFile::set_root(std::span<const std::byte> root) {
  if (state_ == nullptr) return MapError::kClosed;
  if (const std::error_code error = state_->CheckWritable()) return error;
  if (root.size() > kRootBytes) return MapError::kOutOfRange;
  memset(state_->next.root, 0, kRootBytes);
  if (!root.empty()) memcpy(state_->next.root, root.data(), root.size());
  return {};
}

std::span<const std::byte, GrowableFile::kRootBytes> GrowableFile::root() const noexcept {
  static constexpr std::byte kNone[kRootBytes] = {};
  if (state_ == nullptr) return std::span<const std::byte, kRootBytes>(kNone);
  return std::span<const std::byte, kRootBytes>(
      reinterpret_cast<const std::byte*>(state_->next.root), kRootBytes);
}

std::error_code GrowableFile::commit() {
  if (state_ == nullptr) return MapError::kClosed;
  State& state = *state_;
  if (const std::error_code error = state.CheckWritable()) return error;
  FileHeader header = state.next;
  header.sequence = state.committed.sequence + 1;
  header.size = state.size;
  state.Prepare();
  // The header must not reach the medium before what it speaks of.
  int error = state.files.SyncData(state.descriptor());
  if (error == 0) error = WriteHeader(state.files, state.descriptor(), header);
  if (error != 0) {
    // The kernel forgets what it could not write: to try again would seem to succeed.
    state.broken = true;
    return FromErrno(error);
  }
  state.committed = state.next = header;
  state.committed_size.store(header.size, std::memory_order_release);
  return {};
}

std::error_code GrowableFile::refresh() {
  if (state_ == nullptr) return MapError::kClosed;
  State& state = *state_;
  if (state.writable) return {};
  FileHeader header;
  if (const std::error_code error = ReadHeader(state.files, state.descriptor(), &header)) {
    return error;
  }
  if (header.sequence == state.committed.sequence) return {};
  if (header.size > state.capacity) {
    const FileHeader before = state.committed;
    state.committed = header;
    if (const std::error_code error = state.MapAll()) {
      state.committed = before;
      return error;
    }
  }
  state.committed = state.next = header;
  state.size.store(header.size, std::memory_order_release);
  state.committed_size.store(header.size, std::memory_order_release);
  return {};
}

std::error_code GrowableFile::close(Location closed) {
  return GrowableInternals::Close(*this, closed);
}

std::error_code GrowableInternals::Close(GrowableFile& file, const Origin& closed) {
  if (file.state_ == nullptr) return MapError::kClosed;
  const std::unique_ptr<GrowableFile::State> state = std::move(file.state_);
  int error = 0;
  if (state->writable && !state->broken) {
    error = state->files.Truncate(state->descriptor(), kHeaderBytes + state->committed.size);
  }
  // The region, with the descriptor and its lock, goes with its last handle.
  if (state->region.use_count() == 1) {
    const int close_error = state->region->Close(&closed);
    if (error == 0) error = close_error;
  }
  return FromErrno(error);
}

}  // namespace prairie
