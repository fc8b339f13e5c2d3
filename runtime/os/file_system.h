// The operating system's side of mapped files: every call on a descriptor or a mapping that
// runtime/ makes. The system's own is LinuxFiles; tests put a file system in between that fails,
// loses pages or runs full.
//
// Each function returns 0 or an errno, and makes one system call unless it says otherwise; EINTR
// never comes out. Policy lives above: this file has none.
#ifndef PRAIRIE_RUNTIME_OS_FILE_SYSTEM_H_
#define PRAIRIE_RUNTIME_OS_FILE_SYSTEM_H_

#include <stddef.h>
#include <stdint.h>

namespace prairie {

enum class FileType : uint8_t { kRegular, kDirectory, kBlockDevice, kOther };

struct FileInfo {
  uint64_t size = 0;  // bytes; of a block device, its capacity
  FileType type = FileType::kOther;
};

struct OpenMode {
  bool write = false;
  bool create = false;  // with permissions 0666 before the umask
};

// What the kernel knows of a file's pages. Counts of OS pages.
struct CacheCounts {
  uint64_t cached = 0;
  uint64_t dirty = 0;
  uint64_t writeback = 0;
};

// What a mapping of a file is.
struct MapMode {
  int protection = 0;    // PROT_*
  bool shared = true;    // else private, copy-on-write
  int descriptor = -1;   // -1: anonymous
  uint64_t offset = 0;   // a multiple of the OS page
  bool reserve = false;  // anonymous, without access and without charge
};

// Thread safety: any thread.
class FileSystem {
 public:
  // Bytes in an OS page.
  virtual size_t PageSize() const = 0;

  // Never waits for the other end of a pipe, never becomes the controlling terminal, is closed by
  // exec.
  virtual int Open(const char* path, OpenMode mode, int* descriptor) = 0;
  virtual int Duplicate(int descriptor, int* copy) = 0;
  virtual int Close(int descriptor) = 0;
  virtual int Stat(int descriptor, FileInfo* info) = 0;
  // An exclusive lock on the file, held until the descriptor is closed. EWOULDBLOCK: another has
  // it.
  virtual int LockFile(int descriptor) = 0;

  virtual int Truncate(int descriptor, uint64_t size) = 0;
  // Blocks for [offset, offset + size), which reads as zero where it was not written; the file
  // grows as needed. ENOSPC before anything depends on them. Writes zeros where the file system
  // cannot allocate; then several calls.
  virtual int Allocate(int descriptor, uint64_t offset, uint64_t size) = 0;
  // Fewer bytes than `size` only at the end of the file. Several calls if the kernel wishes so.
  virtual int ReadAt(int descriptor, void* buffer, size_t size, uint64_t offset, size_t* got) = 0;
  // All of it, or an error.
  virtual int WriteAt(int descriptor, const void* buffer, size_t size, uint64_t offset) = 0;
  // The same, and waits until these bytes are on the medium, and what is needed to find them. Other
  // bytes of the file may stay behind. One call where the kernel has it (RWF_DSYNC).
  virtual int WriteThrough(int descriptor, const void* buffer, size_t size, uint64_t offset) = 0;
  // Waits until the file's contents, and what is needed to find them, are on the medium.
  virtual int SyncData(int descriptor) = 0;
  // The same for the directory entry of `path`. Three calls.
  virtual int SyncParent(const char* path) = 0;

  // Maps `size` bytes (any number; the kernel rounds up to its pages) anywhere, if *address is
  // null, or over what is at *address, which must be the caller's.
  virtual int Map(void** address, size_t size, const MapMode& mode) = 0;
  virtual int Unmap(void* address, size_t size) = 0;
  virtual int Protect(void* address, size_t size, int protection) = 0;
  virtual int Advise(void* address, size_t size, int advice) = 0;
  virtual int LockPages(void* address, size_t size) = 0;
  virtual int UnlockPages(void* address, size_t size) = 0;
  // Writes back shared pages; `wait`: until they are on the medium.
  virtual int SyncPages(void* address, size_t size, bool wait) = 0;
  // One byte per OS page; bit 0: in memory.
  virtual int Residency(void* address, size_t size, unsigned char* pages) = 0;
  // ENOSYS before Linux 6.5.
  virtual int CountCached(int descriptor, uint64_t offset, uint64_t size, CacheCounts* counts) = 0;
  // Drops clean pages of the file from the page cache.
  virtual int Evict(int descriptor, uint64_t offset, uint64_t size) = 0;

 protected:
  ~FileSystem() = default;
};

// The kernel's. One in a process, never destroyed.
FileSystem& SystemFiles();

// What the kernel counts of a range of this process's addresses, in bytes: see proc(5), smaps.
struct RangeUse {
  uint64_t resident = 0;
  uint64_t dirty = 0;  // written, and not yet in the file
  uint64_t locked = 0;
};
// Reads /proc: microseconds to milliseconds. Mappings that reach over the range are counted up to
// its size.
int ReadRangeUse(const void* address, size_t size, RangeUse* use);

// RLIMIT_AS in bytes; UINT64_MAX if there is none. Where there is one, addresses without access
// cost what the program was given little of.
uint64_t AddressSpaceLimit();

// Page faults of the process so far.
struct FaultCounts {
  uint64_t minor = 0;
  uint64_t major = 0;  // those that waited for the medium
};
FaultCounts ReadFaultCounts();

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_OS_FILE_SYSTEM_H_
