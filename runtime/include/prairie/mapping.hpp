// Mapped files: the bytes of a file, or of anonymous memory, as an array.
#ifndef PRAIRIE_MAPPING_HPP_
#define PRAIRIE_MAPPING_HPP_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "prairie/result.hpp"

namespace prairie {

class PrefaultOperation;
class Region;

// Where in the program something was called, for reports: as std::source_location, which some
// compilers have not.
struct CallSite {
  const char* file = "";  // lives as long as the program
  unsigned line = 0;
  static constexpr CallSite current(const char* here = __builtin_FILE(),
                                    unsigned at = __builtin_LINE()) noexcept {
    return {here, at};
  }
};

enum class Access : std::uint8_t {
  kRead,         // shared, for reading
  kReadWrite,    // shared: what is written goes to the file
  kCopyOnWrite,  // private: what is written stays in this process
};

struct MapOptions {
  Access access = Access::kRead;
  bool executable = false;
  // The part of the file. Any offset, aligned or not. No length: up to the end of the file.
  std::int64_t offset = 0;
  std::optional<std::int64_t> length = std::nullopt;
  // Asks for 2 MiB pages, and begins at a multiple of 2 MiB. What the kernel and the file system
  // cannot do is left out.
  bool huge_pages = false;
  // In Prairie's arena, where questions about pointers are answered (prairie_base_of). Where the
  // arena cannot take it, the kernel chooses the place.
  bool in_arena = true;
};

// A part of a mapping, in bytes from its start. No length: up to its end.
struct Range {
  std::size_t offset = 0;
  std::size_t length = SIZE_MAX;
};

struct Protection {
  bool read = true;
  bool write = false;
  bool execute = false;
};

// As the MADV_ constants of madvise(2), with their meaning.
enum class Advice : int {
  kNormal,
  kRandom,
  kSequential,
  kWillNeed,
  kDontNeed,
  kFree,
  kRemove,
  kDontFork,
  kDoFork,
  kMergeable,
  kUnmergeable,
  kHugePage,
  kNoHugePage,
  kDontDump,
  kDoDump,
  kWipeOnFork,
  kKeepOnFork,
  kCold,
  kPageOut,
  kPopulateRead,
  kPopulateWrite,
  kDontNeedLocked,
  kCollapse,
  kGuardInstall,
  kGuardRemove,
};

enum class SyncMode : std::uint8_t {
  kWait,   // until the bytes are on the medium
  kStart,  // only says that they may go now
};

// Which OS pages are in memory: of a file, in the page cache.
struct Residency {
  std::size_t page_bytes = 0;
  std::size_t pages = 0;            // that the range touches
  std::size_t resident = 0;         // of these, in memory
  std::vector<bool> resident_page;  // one for each page; empty if only counted
};

// In bytes where no unit is given.
struct MappingStats {
  std::size_t size = 0;
  std::size_t resident = 0;  // in this process's page tables
  std::size_t dirty = 0;     // written and not yet on the medium, by any process
  std::size_t locked = 0;
  std::uint64_t caught_faults = 0;  // guarded accesses to this mapping that ended with an error
  // Page faults of the whole process since this was mapped: the kernel counts no others.
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  bool in_arena = false;
};

// A handle to mapped memory. Copies and slices share the memory and keep it mapped; it is unmapped
// when the last one is closed or destroyed, and its addresses then stay without access for a while:
// a use after close is reported by file, opener and closer.
//
// No function throws, but for std::bad_alloc. A closed or default handle has size 0 and answers
// kClosed. Ranges are checked: kOutOfRange. Errors of the kernel come through as errno. Thread
// safety: as a std::shared_ptr: one handle belongs to one thread at a time for changes of the
// handle (assignment, close); everything else may be called by any thread.
class Mapping {
 public:
  using Location = CallSite;

  Mapping() noexcept = default;

  // Maps a file by name. kNotMappable for what is neither a regular file nor a block device,
  // kOutOfRange for a part that is not in the file, EINVAL for a negative offset or length. An
  // empty file, or an empty part, is a mapping of size 0.
  static Result<Mapping> map(const std::string& path, const MapOptions& options = {},
                             Location opened = Location::current());
  // The same of an open file; `descriptor` stays the caller's and may be closed at once.
  static Result<Mapping> map_descriptor(int descriptor, const MapOptions& options = {},
                                        Location opened = Location::current());
  // `size` bytes of zeros, private or, with kReadWrite, shared with children. kRead is EINVAL. The
  // file part of `options` must be empty.
  static Result<Mapping> anonymous(std::size_t size,
                                   const MapOptions& options = {.access = Access::kCopyOnWrite},
                                   Location opened = Location::current());
  // Takes in memory that somebody else has mapped. `release` is called when the last handle goes,
  // with the same arguments; until then the memory must stay. May be empty.
  using Release = std::function<void(void* pointer, std::size_t length)>;
  static Result<Mapping> adopt(void* pointer, std::size_t length, Release release,
                               Access access = Access::kReadWrite,
                               Location opened = Location::current());

  // The bytes. They are memory: reading what the file has lost raises SIGBUS, unless it is done by
  // copy_from, access or a ReaderAt.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  // Empty if the mapping was made for reading only.
  std::span<std::byte> mutable_bytes() noexcept { return {data_, writable_ ? size_ : 0}; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool is_open() const noexcept { return region_ != nullptr; }

  // The range as an array of T: kMisaligned if its start is not aligned for T, or its size no
  // multiple of sizeof(T); kNotWritable for a T that is not const in a mapping for reading.
  template <typename T>
  Result<std::span<T>> as(Range range = {}) const {
    static_assert(std::is_trivially_copyable_v<T>, "bytes of a file can only be such a type");
    if (const std::error_code error =
            CheckView(&range, sizeof(T), alignof(T), std::is_const_v<T>)) {
      return error;
    }
    return std::span<T>(reinterpret_cast<T*>(data_ + range.offset), range.length / sizeof(T));
  }

  // A handle to a part, which keeps the whole mapped.
  Result<Mapping> slice(Range range) const;

  // This handle is no longer one; the memory goes if it was the last. kClosed the second time.
  // EIO and the like come from `release` and the kernel; the handle is closed all the same.
  std::error_code close(Location closed = Location::current());

  // --- Access that survives a truncated or failing file.

  // Copies bytes [offset, offset + to.size()) out of the mapping. kTruncated, kIoError: `to` then
  // holds nothing of use. A few nanoseconds more than memcpy: a guard instead of a system call; a
  // range whose last byte is zero may cost a look at the file's size, because past the end a mapped
  // page reads as zero.
  std::error_code copy_from(std::size_t offset, std::span<std::byte> to) const;
  // Copies into the mapping. kNotWritable. After an error part of it may have been written.
  std::error_code copy_to(std::size_t offset, std::span<const std::byte> from);
  // Calls f(std::span<const std::byte>) with the range, under a guard of this thread. On a fault f
  // is cut short where it stands, without destructors, and the error is kTruncated or kIoError; the
  // same if the file has lost part of the range meanwhile. So f must own nothing: no lock, no
  // container.
  template <typename F>
  std::error_code access(Range range, F f) const {
    struct Call {
      F* f;
      std::span<const std::byte> bytes;
    } call = {&f, {}};
    return Guarded(
        range, &call.bytes,
        [](void* argument) {
          Call& self = *static_cast<Call*>(argument);
          (*self.f)(self.bytes);
        },
        &call);
  }
  // Whether the file has the range at this moment, and the medium gives it: reads it into memory.
  std::error_code validate(Range range = {}) const;

  // --- What the kernel offers. Ranges are widened to OS pages, but where that would touch
  // neighbours for the worse (protect, kDontNeed, kFree, kRemove, kWipeOnFork, kGuardInstall):
  // there the range must begin at a page and end at one or at the end of the mapping, else
  // kMisaligned.

  std::error_code protect(Range range, Protection protection);
  std::error_code advise(Range range, Advice advice);
  std::error_code lock(Range range = {});
  std::error_code unlock(Range range = {});
  // Writes changes of a shared mapping to the file.
  std::error_code sync(SyncMode mode = SyncMode::kWait, Range range = {});
  Result<Residency> residency(Range range = {}) const;
  // Only the count, without the bitmap: cheaper, and in one call where the kernel has cachestat.
  Result<Residency> count_resident(Range range = {}) const;
  // Reads /proc: not for a loop.
  Result<MappingStats> stats() const;

  // Reads the range into memory on threads of the library: see prefault.hpp, which must be
  // included.
  PrefaultOperation prefault(Range range = {}) const;

 private:
  friend class Region;
  friend struct MappingInternals;

  Mapping(std::shared_ptr<Region> region, std::byte* data, std::size_t size, bool writable) noexcept
      : region_(std::move(region)), data_(data), size_(size), writable_(writable) {}

  // Resolves an open length, and checks.
  std::error_code CheckRange(Range* range) const noexcept;
  std::error_code CheckView(Range* range, std::size_t size, std::size_t alignment,
                            bool constant) const noexcept;
  std::error_code Guarded(Range range, std::span<const std::byte>* bytes, void (*call)(void*),
                          void* argument) const;

  std::shared_ptr<Region> region_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool writable_ = false;
};

}  // namespace prairie

#endif  // PRAIRIE_MAPPING_HPP_
