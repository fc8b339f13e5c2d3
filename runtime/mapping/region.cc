#include "runtime/mapping/region.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>

#include "runtime/guard/closed_regions.h"
#include "runtime/guard/signals.h"

namespace prairie {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

// The kernel maps, around a fault, what is cached of a file in windows of this size.
constexpr uintptr_t kFaultAroundBytes = uintptr_t{64} << 10;

int ProtectionOf(const MapOptions& options) {
  return PROT_READ | (options.access == Access::kRead ? 0 : PROT_WRITE) |
         (options.executable ? PROT_EXEC : 0);
}

uintptr_t ReadByte(void*, const void* at, size_t) {
  return static_cast<uintptr_t>(*static_cast<const volatile std::byte*>(at));
}

}  // namespace

int Region::MapPlaced(size_t size, MapMode mode, const MapOptions& options) {
  const size_t page = files_.PageSize();
  // Offset and address agree in their multiple of 2 MiB, as the kernel would place them: then it
  // can map large pieces of the page cache at once.
  const bool aligned = options.huge_pages || size >= kHugePageBytes;
  const size_t alignment = aligned ? std::max(page, kHugePageBytes) : page;
  const size_t shift = aligned ? mode.offset % alignment : 0;
  int error =
      Place(files_, {size + shift, alignment, options.in_arena, name_.c_str()}, &placement_);
  if (error != 0) return error;
  void* address = placement_.begin + shift;
  mode.protection = ProtectionOf(options);
  mode.shared = shared_ = options.access != Access::kCopyOnWrite;
  error = files_.Map(&address, size, mode);
  if (error != 0) {
    GiveBack(files_, placement_);
    return error;
  }
  begin_ = static_cast<std::byte*>(address);
  size_ = placement_.size - shift;
  open_ = true;
  SetLive(placement_, placement_.size);
  // Advice: where there are no huge pages, there are none.
  if (options.huge_pages) files_.Advise(begin_, size_, MADV_HUGEPAGE);
  faults_at_start_ = ReadFaultCounts();
  return 0;
}

int Region::MapFile(int descriptor, uint64_t offset, size_t size, const MapOptions& options) {
  descriptor_ = descriptor;
  file_offset_ = offset;
  return MapPlaced(size, {.descriptor = descriptor, .offset = offset}, options);
}

int Region::MapAnonymous(size_t size, const MapOptions& options) {
  return MapPlaced(size, {}, options);
}

int Region::Reserve(int descriptor, size_t size, bool in_arena) {
  descriptor_ = descriptor;
  shared_ = true;
  const int error = Place(files_, {size, files_.PageSize(), in_arena, name_.c_str()}, &placement_);
  if (error != 0) return error;
  begin_ = placement_.begin;
  open_ = true;
  faults_at_start_ = ReadFaultCounts();
  return 0;
}

int Region::MapMore(size_t size, bool writable) {
  const size_t mapped = size_;
  if (size <= mapped) return 0;
  void* address = begin_ + mapped;
  const int error = files_.Map(&address, size - mapped,
                               {.protection = PROT_READ | (writable ? PROT_WRITE : 0),
                                .descriptor = descriptor_,
                                .offset = mapped});
  if (error != 0) return error;
  size_.store(size, std::memory_order_release);
  SetLive(placement_, size);
  return 0;
}

void Region::Adopt(std::byte* begin, size_t size, Mapping::Release release) {
  begin_ = begin;
  size_ = size;
  release_ = std::move(release);
  open_ = true;
  faults_at_start_ = ReadFaultCounts();
}

int Region::Close(const Origin* closed) {
  int error = 0;
  if (open_ && placement_.begin == nullptr) {
    if (release_) release_(begin_, size_);
  } else if (open_) {
    SetLive(placement_, 0);
    error = Clear(files_, placement_);
    if (error != 0 && !placement_.in_arena) {
      error = files_.Unmap(placement_.begin, placement_.size + placement_.guard);
    } else if (error == 0 && !placement_.in_arena && AddressSpaceLimit() != UINT64_MAX) {
      GiveBack(files_, placement_);
    } else if (error == 0) {
      InstallSegvHandler();  // If it fails, a use after close dies without a word.
      RememberClosed({.begin = reinterpret_cast<uintptr_t>(placement_.begin),
                      .size = placement_.size + placement_.guard,
                      .give_back = GiveBackLater(placement_),
                      .name = name_.c_str(),
                      .opened_file = opened_.file,
                      .opened_line = opened_.line,
                      .closed_file = closed != nullptr ? closed->file : "",
                      .closed_line = closed != nullptr ? closed->line : 0});
    }
    // Otherwise the kernel refuses to let go of memory in the arena: it stays as it is, for ever.
  }
  open_ = false;
  if (descriptor_ >= 0) {
    const int close_error = files_.Close(descriptor_);
    if (error == 0) error = close_error;
    descriptor_ = -1;
  }
  return error;
}

std::error_code Region::Classify(Fault fault) {
  caught_faults_.fetch_add(1, std::memory_order_relaxed);
  if (descriptor_ < 0 || fault.code == BUS_MCEERR_AR) return MapError::kIoError;
  // An access past the end and one that the medium refuses look alike to a process. The file may
  // have grown again since: then the byte can be read now, unless the medium refuses it.
  void* const address = reinterpret_cast<void*>(fault.address);
  const uint64_t at = file_offset_ + (fault.address - reinterpret_cast<uintptr_t>(begin_));
  for (int look = 0; look < 2; ++look) {
    FileInfo info;
    if (const int error = files_.Stat(descriptor_, &info); error != 0) return FromErrno(error);
    if (at >= info.size) return MapError::kTruncated;
    uintptr_t ignored;
    if (RunGuarded(address, 1, ReadByte, nullptr, address, 0, &ignored).code == 0) {
      return MapError::kTruncated;
    }
  }
  return MapError::kIoError;
}

std::error_code Region::CompareWithFile(const std::byte* end) {
  if (descriptor_ < 0) return {};
  FileInfo info;
  if (const int error = files_.Stat(descriptor_, &info); error != 0) return FromErrno(error);
  const uint64_t end_in_file = file_offset_ + static_cast<uint64_t>(end - begin_);
  if (end_in_file <= info.size) return {};
  caught_faults_.fetch_add(1, std::memory_order_relaxed);
  return MapError::kTruncated;
}

// When a file is cut at T, whole pages behind T fault, and the rest of T's page reads as zero to
// the end of the page. So a byte that is not zero says that the file was not cut before it; and so
// does the page behind its page, if there is one to be read.
std::error_code Region::CheckTail(const std::byte* end, std::byte last) {
  if (last != std::byte{0} || descriptor_ < 0) return {};
  const uintptr_t page = files_.PageSize();
  const uintptr_t next = (reinterpret_cast<uintptr_t>(end) + page - 1) & ~(page - 1);
  const uintptr_t region_end = reinterpret_cast<uintptr_t>(begin_) + size();
  // Reading it must not cost a fault of its own, nor the medium's time.
  if (next < region_end && next % kFaultAroundBytes != 0) {
    uintptr_t ignored;
    const Fault fault = RunGuarded(reinterpret_cast<void*>(next), 1, ReadByte, nullptr,
                                   reinterpret_cast<void*>(next), 0, &ignored);
    if (fault.code == 0) return {};
  }
  return CompareWithFile(end);
}

}  // namespace prairie
