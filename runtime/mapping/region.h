// A region: one mapped range of addresses, with what is needed to look after it. Handles share it.
#ifndef PRAIRIE_RUNTIME_MAPPING_REGION_H_
#define PRAIRIE_RUNTIME_MAPPING_REGION_H_

#include <atomic>
#include <memory>
#include <string>

#include "prairie/mapping.hpp"
#include "runtime/guard/guard.h"
#include "runtime/mapping/placement.h"
#include "runtime/os/file_system.h"

namespace prairie {

inline std::error_code FromErrno(int error) { return {error, std::generic_category()}; }

// Where in the program something was opened or closed.
struct Origin {
  Origin(const CallSite& site)  // NOLINT(google-explicit-constructor)
      : file(site.file), line(site.line) {}
  Origin(const char* f, unsigned l) : file(f), line(l) {}

  const char* file;  // lives as long as the program
  unsigned line;
};

// Thread safety: any thread; Close by the last owner.
class Region {
 public:
  Region(FileSystem& files, std::string name, const Origin& opened)
      : files_(files), name_(std::move(name)), opened_(opened) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() { Close(nullptr); }

  // Maps [offset, offset + size) of the file, of which `descriptor` becomes the region's own.
  // REQUIRES: offset is a multiple of the OS page; size > 0.
  int MapFile(int descriptor, uint64_t offset, size_t size, const MapOptions& options);
  int MapAnonymous(size_t size, const MapOptions& options);
  // Takes addresses for a file that will grow, and maps nothing yet. `descriptor` becomes the
  // region's own.
  int Reserve(int descriptor, size_t size, bool in_arena);
  // Maps the file from where it ends in memory up to `size` bytes, over the reserved addresses.
  // REQUIRES: Reserve; size is a multiple of the OS page and at most what was reserved. One thread.
  int MapMore(size_t size, bool writable);
  void Adopt(std::byte* begin, size_t size, Mapping::Release release);

  // Unmaps. `closed`: by whom; null: by the destructor. 0 or errno.
  int Close(const Origin* closed);

  FileSystem& files() const { return files_; }
  std::byte* begin() const { return begin_; }
  size_t size() const { return size_.load(std::memory_order_acquire); }
  int descriptor() const { return descriptor_; }
  uint64_t file_offset() const { return file_offset_; }
  bool in_arena() const { return placement_.in_arena; }
  // Whether what is written goes to the file.
  bool is_shared_file() const { return shared_ && descriptor_ >= 0; }
  const FaultCounts& faults_at_start() const { return faults_at_start_; }
  uint64_t caught_faults() const { return caught_faults_.load(std::memory_order_relaxed); }

  // What a fault, or an end that is gone, means: looks at the file.
  std::error_code Classify(Fault fault);

  // Whether the file still has all bytes before `end` (an address in the region, not its start),
  // having had them when the region was mapped. What was read of them before this call is then what
  // was in the file. `last`: the byte before `end`, read after all others.
  std::error_code CheckTail(const std::byte* end, std::byte last);

  // The same by a look at the file alone.
  std::error_code CompareWithFile(const std::byte* end);

 private:
  int MapPlaced(size_t size, MapMode mode, const MapOptions& options);

  FileSystem& files_;
  const std::string name_;
  const Origin opened_;
  std::byte* begin_ = nullptr;
  std::atomic<size_t> size_{0};
  int descriptor_ = -1;
  uint64_t file_offset_ = 0;  // of begin_
  Placement placement_;
  Mapping::Release release_;
  bool open_ = false;
  bool shared_ = false;
  FaultCounts faults_at_start_;
  std::atomic<uint64_t> caught_faults_{0};
};

// How the layers above, and tests, make handles.
struct MappingInternals {
  static Result<Mapping> Map(FileSystem& files, const std::string& path, const MapOptions& options,
                             const Origin& opened);
  // Takes over `descriptor`.
  static Result<Mapping> MapOwned(FileSystem& files, int descriptor, const std::string& name,
                                  const MapOptions& options, const Origin& opened);
  static Result<Mapping> Anonymous(FileSystem& files, size_t size, const MapOptions& options,
                                   const Origin& opened);
  static std::error_code Close(Mapping& mapping, const Origin& closed);
  static const std::shared_ptr<Region>& RegionOf(const Mapping& mapping) { return mapping.region_; }
  static Mapping View(std::shared_ptr<Region> region, std::byte* data, size_t size, bool writable) {
    return Mapping(std::move(region), data, size, writable);
  }
  static std::error_code CheckRange(const Mapping& mapping, Range* range) {
    return mapping.CheckRange(range);
  }
};

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_MAPPING_REGION_H_
