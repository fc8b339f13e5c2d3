// Handles: how mappings are made, shared and closed, and access that survives a failing file.
#include "prairie/mapping.hpp"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/guard/signals.h"
#include "runtime/mapping/region.h"

namespace prairie {
namespace {

using Internals = MappingInternals;

// A region without memory: it only has a name, and a descriptor for questions.
struct Part {
  uint64_t offset = 0;
  size_t length = 0;
};

std::error_code ChoosePart(const FileInfo& info, const MapOptions& options, Part* part) {
  if (info.type == FileType::kDirectory || info.type == FileType::kOther) {
    return MapError::kNotMappable;
  }
  if (options.offset < 0 || options.length.value_or(0) < 0) return FromErrno(EINVAL);
  part->offset = static_cast<uint64_t>(options.offset);
  if (part->offset > info.size) return MapError::kOutOfRange;
  const uint64_t rest = info.size - part->offset;
  const uint64_t length = options.length ? static_cast<uint64_t>(*options.length) : rest;
  if (length > rest) return MapError::kOutOfRange;
  if (length > PTRDIFF_MAX) return FromErrno(ENOMEM);
  part->length = static_cast<size_t>(length);
  return {};
}

bool IsWritable(Access access) { return access != Access::kRead; }

}  // namespace

Result<Mapping> Internals::MapOwned(FileSystem& files, int descriptor, const std::string& name,
                                    const MapOptions& options, const Origin& opened) {
  const auto fail = [&](std::error_code error) {
    files.Close(descriptor);
    return error;
  };
  FileInfo info;
  if (const int error = files.Stat(descriptor, &info); error != 0) return fail(FromErrno(error));
  Part part;
  if (const std::error_code error = ChoosePart(info, options, &part)) return fail(error);
  if (const int error = InstallBusHandler(); error != 0) return fail(FromErrno(error));
  auto region = std::make_shared<Region>(files, name, opened);
  if (part.length == 0) {
    // Nothing to map, which mmap calls an error.
    if (const int error = files.Close(descriptor); error != 0) return FromErrno(error);
    return Mapping(std::move(region), nullptr, 0, IsWritable(options.access));
  }
  const uint64_t page_offset = part.offset % files.PageSize();
  const int error =
      region->MapFile(descriptor, part.offset - page_offset, part.length + page_offset, options);
  if (error != 0) return FromErrno(error);  // The region closes the descriptor.
  std::byte* const data = region->begin() + page_offset;
  return Mapping(std::move(region), data, part.length, IsWritable(options.access));
}

Result<Mapping> Internals::Map(FileSystem& files, const std::string& path,
                               const MapOptions& options, const Origin& opened) {
  int descriptor;
  const int error =
      files.Open(path.c_str(), {.write = options.access == Access::kReadWrite}, &descriptor);
  // A directory cannot be opened for writing, which is no news about permissions.
  if (error == EISDIR || error == ENXIO) return MapError::kNotMappable;
  if (error != 0) return FromErrno(error);
  return MapOwned(files, descriptor, path, options, opened);
}

Result<Mapping> Internals::Anonymous(FileSystem& files, size_t size, const MapOptions& options,
                                     const Origin& opened) {
  if (options.access == Access::kRead || options.offset != 0 || options.length) {
    return FromErrno(EINVAL);
  }
  if (size > PTRDIFF_MAX) return FromErrno(ENOMEM);
  if (const int error = InstallBusHandler(); error != 0) return FromErrno(error);
  auto region = std::make_shared<Region>(files, "anonymous memory", opened);
  if (size != 0) {
    if (const int error = region->MapAnonymous(size, options); error != 0) return FromErrno(error);
  }
  std::byte* const data = region->begin();
  return Mapping(std::move(region), data, size, true);
}

Result<Mapping> Mapping::map(const std::string& path, const MapOptions& options, Location opened) {
  return Internals::Map(SystemFiles(), path, options, opened);
}

Result<Mapping> Mapping::map_descriptor(int descriptor, const MapOptions& options,
                                        Location opened) {
  int copy;
  if (const int error = SystemFiles().Duplicate(descriptor, &copy); error != 0) {
    return FromErrno(error);
  }
  return Internals::MapOwned(SystemFiles(), copy, "descriptor " + std::to_string(descriptor),
                             options, opened);
}

Result<Mapping> Mapping::anonymous(std::size_t size, const MapOptions& options, Location opened) {
  return Internals::Anonymous(SystemFiles(), size, options, opened);
}

Result<Mapping> Mapping::adopt(void* pointer, std::size_t length, Release release, Access access,
                               Location opened) {
  if (pointer == nullptr && length != 0) return FromErrno(EINVAL);
  if (const int error = InstallBusHandler(); error != 0) return FromErrno(error);
  auto region = std::make_shared<Region>(SystemFiles(), "adopted memory", opened);
  std::byte* const data = static_cast<std::byte*>(pointer);
  region->Adopt(data, length, std::move(release));
  return Mapping(std::move(region), data, length, IsWritable(access));
}

Result<Mapping> Mapping::slice(Range range) const {
  if (const std::error_code error = CheckRange(&range)) return error;
  return Mapping(region_, data_ + range.offset, range.length, writable_);
}

std::error_code Internals::Close(Mapping& mapping, const Origin& closed) {
  if (mapping.region_ == nullptr) return MapError::kClosed;
  const std::shared_ptr<Region> region = std::move(mapping.region_);
  mapping = Mapping();
  // Two last handles that go at the same moment may both see two: then the destructor closes.
  if (region.use_count() != 1) return {};
  return FromErrno(region->Close(&closed));
}

std::error_code Mapping::close(Location closed) { return Internals::Close(*this, closed); }

std::error_code Mapping::CheckRange(Range* range) const noexcept {
  if (region_ == nullptr) return MapError::kClosed;
  if (range->offset > size_) return MapError::kOutOfRange;
  const size_t rest = size_ - range->offset;
  if (range->length == SIZE_MAX) range->length = rest;
  return range->length > rest ? MapError::kOutOfRange : std::error_code();
}

std::error_code Mapping::CheckView(Range* range, std::size_t size, std::size_t alignment,
                                   bool constant) const noexcept {
  if (const std::error_code error = CheckRange(range)) return error;
  if (!constant && !writable_) return MapError::kNotWritable;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data_ + range->offset);
  if (begin % alignment != 0 || range->length % size != 0) return MapError::kMisaligned;
  return {};
}

// --- Guarded access.

namespace {

// Copies, and returns the last byte of the source as it is afterwards: see Region::CheckTail.
uintptr_t CopyOut(void* to, const void* from, size_t size) {
  memcpy(to, from, size);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return static_cast<uintptr_t>(static_cast<const volatile std::byte*>(from)[size - 1]);
}

uintptr_t CopyIn(void* to, const void* from, size_t size) {
  memcpy(to, from, size);
  return 1;
}

struct GuardedCall {
  void (*call)(void*);
  void* argument;
};

uintptr_t CallGuarded(void* argument, const void* end, size_t) {
  const GuardedCall& guarded = *static_cast<GuardedCall*>(argument);
  guarded.call(guarded.argument);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return static_cast<uintptr_t>(static_cast<const volatile std::byte*>(end)[-1]);
}

}  // namespace

std::error_code Mapping::copy_from(std::size_t offset, std::span<std::byte> to) const {
  // Copied, it spares a call into the C++ library.
  static const std::error_code kNone;
  if (PRAIRIE_UNLIKELY(offset > size_ || to.size() > size_ - offset || region_ == nullptr)) {
    return region_ == nullptr ? MapError::kClosed : MapError::kOutOfRange;
  }
  if (to.empty()) return {};
  const std::byte* const from = data_ + offset;
  uintptr_t last;
  const Fault fault = to.size() <= kSmallCopy
                          ? CopyGuarded(to.data(), from, to.size(), &last)
                          : RunGuarded(from, to.size(), CopyOut, to.data(), from, to.size(), &last);
  if (PRAIRIE_UNLIKELY(fault.code != 0)) return region_->Classify(fault);
  if (PRAIRIE_LIKELY(last != 0)) return kNone;
  return region_->CheckTail(from + to.size(), std::byte{0});
}

std::error_code Mapping::copy_to(std::size_t offset, std::span<const std::byte> from) {
  Range range = {offset, from.size()};
  if (const std::error_code error = CheckRange(&range)) return error;
  if (!writable_) return MapError::kNotWritable;
  if (from.empty()) return {};
  std::byte* const to = data_ + offset;
  uintptr_t ignored;
  const Fault fault = RunGuarded(to, from.size(), CopyIn, to, from.data(), from.size(), &ignored);
  if (fault.code != 0) return region_->Classify(fault);
  // What lands behind the end of a file, in its last page, is lost without a signal.
  return region_->CheckTail(to + from.size(), std::byte{0});
}

std::error_code Mapping::Guarded(Range range, std::span<const std::byte>* bytes,
                                 void (*call)(void*), void* argument) const {
  if (const std::error_code error = CheckRange(&range)) return error;
  const std::byte* const begin = data_ + range.offset;
  *bytes = {begin, range.length};
  if (range.length == 0) {
    call(argument);
    return {};
  }
  GuardedCall guarded = {call, argument};
  uintptr_t last;
  const Fault fault = RunGuarded(begin, range.length, CallGuarded, &guarded, begin + range.length,
                                 range.length, &last);
  if (fault.code != 0) return region_->Classify(fault);
  return region_->CheckTail(begin + range.length, static_cast<std::byte>(last));
}

}  // namespace prairie
