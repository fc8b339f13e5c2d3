// What the kernel offers for a mapping: protection, advice, locks, write-back, residency.
#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "runtime/mapping/region.h"

// Kernel ABI, absent from old headers.
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24  // Linux 5.18
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102  // Linux 6.13, of files 6.15
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#define MADV_POPULATE_WRITE 23
#endif

namespace prairie {
namespace {

struct PageRange {
  std::byte* begin = nullptr;
  size_t size = 0;
};

// The OS pages that [begin, begin + size) touches.
PageRange Widen(const FileSystem& files, std::byte* begin, size_t size) {
  if (size == 0) return {begin, 0};
  const size_t before = reinterpret_cast<uintptr_t>(begin) % files.PageSize();
  const size_t page = files.PageSize();
  return {begin - before, (before + size + page - 1) / page * page};
}

struct AdviceEntry {
  int constant;
  bool harms_neighbours;  // changes what the bytes are
};

// By Advice.
constexpr AdviceEntry kAdvice[] = {
    {MADV_NORMAL, false},         {MADV_RANDOM, false},        {MADV_SEQUENTIAL, false},
    {MADV_WILLNEED, false},       {MADV_DONTNEED, true},       {MADV_FREE, true},
    {MADV_REMOVE, true},          {MADV_DONTFORK, false},      {MADV_DOFORK, false},
    {MADV_MERGEABLE, false},      {MADV_UNMERGEABLE, false},   {MADV_HUGEPAGE, false},
    {MADV_NOHUGEPAGE, false},     {MADV_DONTDUMP, false},      {MADV_DODUMP, false},
    {MADV_WIPEONFORK, true},      {MADV_KEEPONFORK, true},     {MADV_COLD, false},
    {MADV_PAGEOUT, false},        {MADV_POPULATE_READ, false}, {MADV_POPULATE_WRITE, false},
    {MADV_DONTNEED_LOCKED, true}, {MADV_COLLAPSE, false},      {MADV_GUARD_INSTALL, true},
    {MADV_GUARD_REMOVE, true},
};
static_assert(std::size(kAdvice) == static_cast<size_t>(Advice::kGuardRemove) + 1);

}  // namespace

// Resolves a range to OS pages. A range that must not touch neighbours begins at a page, and ends
// at one or with the mapping.
static std::error_code Pages(const Mapping& mapping, Range range, bool exact, PageRange* pages) {
  if (const std::error_code error = MappingInternals::CheckRange(mapping, &range)) return error;
  const FileSystem& files = MappingInternals::RegionOf(mapping)->files();
  const uintptr_t begin = reinterpret_cast<uintptr_t>(mapping.data() + range.offset);
  const uintptr_t end = begin + range.length;
  const bool at_end = range.offset + range.length == mapping.size();
  if (exact && (begin % files.PageSize() != 0 || (end % files.PageSize() != 0 && !at_end))) {
    return MapError::kMisaligned;
  }
  *pages = Widen(files, const_cast<std::byte*>(mapping.data()) + range.offset, range.length);
  return {};
}

std::error_code Mapping::protect(Range range, Protection protection) {
  PageRange pages;
  if (const std::error_code error = Pages(*this, range, true, &pages)) return error;
  if (protection.write && !writable_) return MapError::kNotWritable;
  if (pages.size == 0) return {};
  const int bits = (protection.read ? PROT_READ : 0) | (protection.write ? PROT_WRITE : 0) |
                   (protection.execute ? PROT_EXEC : 0);
  return FromErrno(region_->files().Protect(pages.begin, pages.size, bits));
}

std::error_code Mapping::advise(Range range, Advice advice) {
  const size_t index = static_cast<size_t>(advice);
  if (index >= std::size(kAdvice)) return FromErrno(EINVAL);
  PageRange pages;
  if (const std::error_code error = Pages(*this, range, kAdvice[index].harms_neighbours, &pages)) {
    return error;
  }
  if (pages.size == 0) return {};
  return FromErrno(region_->files().Advise(pages.begin, pages.size, kAdvice[index].constant));
}

std::error_code Mapping::lock(Range range) {
  PageRange pages;
  if (const std::error_code error = Pages(*this, range, false, &pages)) return error;
  if (pages.size == 0) return {};
  return FromErrno(region_->files().LockPages(pages.begin, pages.size));
}

std::error_code Mapping::unlock(Range range) {
  PageRange pages;
  if (const std::error_code error = Pages(*this, range, false, &pages)) return error;
  if (pages.size == 0) return {};
  return FromErrno(region_->files().UnlockPages(pages.begin, pages.size));
}

std::error_code Mapping::sync(SyncMode mode, Range range) {
  PageRange pages;
  if (const std::error_code error = Pages(*this, range, false, &pages)) return error;
  if (pages.size == 0) return {};
  return FromErrno(region_->files().SyncPages(pages.begin, pages.size, mode == SyncMode::kWait));
}

std::error_code Mapping::validate(Range range) const {
  if (const std::error_code error = CheckRange(&range)) return error;
  if (range.length == 0) return {};
  const std::byte* const end = data_ + range.offset + range.length;
  FileSystem& files = region_->files();
  const PageRange pages = Widen(files, data_ + range.offset, range.length);
  int error = files.Advise(pages.begin, pages.size, MADV_POPULATE_READ);
  if (error == EINVAL) {  // Linux before 5.14: read one byte of each page.
    const size_t page = files.PageSize();
    for (size_t at = 0; at < range.length; at += page - (at + range.offset) % page) {
      std::byte ignored;
      if (const std::error_code failed = copy_from(range.offset + at, {&ignored, 1})) return failed;
    }
    error = 0;
  }
  // EFAULT: a page that the file has not, or that the medium does not give.
  if (error != 0 && error != EFAULT && error != EHWPOISON) return FromErrno(error);
  const std::error_code tail = region_->CompareWithFile(end);
  if (tail) return tail;
  return error == 0 ? std::error_code() : MapError::kIoError;
}

namespace {

constexpr size_t kPagesAtATime = 16384;

}  // namespace

Result<Residency> Mapping::residency(Range range) const {
  PageRange pages;
  if (const std::error_code error = Pages(*this, range, false, &pages)) return error;
  FileSystem& files = region_->files();
  Residency found;
  found.page_bytes = files.PageSize();
  found.pages = pages.size / found.page_bytes;
  found.resident_page.resize(found.pages);
  std::vector<unsigned char> bits(std::min(found.pages, kPagesAtATime));
  for (size_t done = 0; done < found.pages; done += bits.size()) {
    const size_t part = std::min(bits.size(), found.pages - done);
    const int error = files.Residency(pages.begin + done * found.page_bytes,
                                      part * found.page_bytes, bits.data());
    if (error != 0) return FromErrno(error);
    for (size_t i = 0; i < part; ++i) {
      const bool in_memory = (bits[i] & 1) != 0;
      found.resident_page[done + i] = in_memory;
      found.resident += in_memory ? 1 : 0;
    }
  }
  return found;
}

Result<Residency> Mapping::count_resident(Range range) const {
  if (const std::error_code error = CheckRange(&range)) return error;
  if (region_->descriptor() >= 0 && range.length != 0) {
    FileSystem& files = region_->files();
    const PageRange pages = Widen(files, data_ + range.offset, range.length);
    CacheCounts counts;
    const uint64_t offset =
        region_->file_offset() + static_cast<uint64_t>(pages.begin - region_->begin());
    if (files.CountCached(region_->descriptor(), offset, pages.size, &counts) == 0) {
      return Residency{
          files.PageSize(), pages.size / files.PageSize(), static_cast<size_t>(counts.cached), {}};
    }
  }
  Result<Residency> found = residency(range);
  if (found.ok()) found->resident_page.clear();
  return found;
}

Result<MappingStats> Mapping::stats() const {
  if (region_ == nullptr) return MapError::kClosed;
  MappingStats stats;
  stats.size = size_;
  stats.in_arena = region_->in_arena();
  stats.caught_faults = region_->caught_faults();
  const FaultCounts faults = ReadFaultCounts();
  stats.minor_faults = faults.minor - region_->faults_at_start().minor;
  stats.major_faults = faults.major - region_->faults_at_start().major;
  if (size_ == 0) return stats;
  FileSystem& files = region_->files();
  const PageRange pages = Widen(files, data_, size_);
  RangeUse use;
  if (const int error = ReadRangeUse(pages.begin, pages.size, &use); error != 0) {
    return FromErrno(error);
  }
  stats.resident = use.resident;
  stats.dirty = use.dirty;
  stats.locked = use.locked;
  // Of a shared mapping the page cache knows better what is not on the medium yet.
  CacheCounts counts;
  const uint64_t offset =
      region_->file_offset() + static_cast<uint64_t>(pages.begin - region_->begin());
  if (region_->is_shared_file() &&
      files.CountCached(region_->descriptor(), offset, pages.size, &counts) == 0) {
    stats.dirty = (counts.dirty + counts.writeback) * files.PageSize();
  }
  return stats;
}

}  // namespace prairie
