// The kernel's file system: the one place in runtime/ that calls it for files and mappings.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "runtime/os/file_system.h"

// Kernel ABI, absent from old headers.
#ifndef SYS_cachestat
#define SYS_cachestat 451  // Linux 6.5; the same number on every architecture
#endif

namespace prairie {
namespace {

// Calls until it is not interrupted. Returns 0 or errno; *result what the call returned.
template <typename Call>
int Retry(Call call, decltype(call())* result = nullptr) {
  for (;;) {
    const auto returned = call();
    if (result != nullptr) *result = returned;
    if (returned != -1) return 0;
    if (errno != EINTR) return errno;
  }
}

class LinuxFiles final : public FileSystem {
 public:
  size_t PageSize() const override {
    static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return size;
  }

  int Open(const char* path, OpenMode mode, int* descriptor) override {
    const int flags = (mode.write ? O_RDWR : O_RDONLY) | (mode.create ? O_CREAT : 0);
    // Nonblocking, or opening a pipe would wait for its writer; it means nothing to a regular file.
    return Retry([&] { return open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666); },
                 descriptor);
  }

  int Duplicate(int descriptor, int* copy) override {
    *copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return *copy == -1 ? errno : 0;
  }

  // Not repeated: Linux has closed the descriptor even if it says EINTR.
  int Close(int descriptor) override {
    return close(descriptor) == 0 || errno == EINTR ? 0 : errno;
  }

  int Stat(int descriptor, FileInfo* info) override {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return errno;
    info->size = static_cast<uint64_t>(status.st_size);
    info->type = FileType::kOther;
    if (S_ISREG(status.st_mode)) info->type = FileType::kRegular;
    if (S_ISDIR(status.st_mode)) info->type = FileType::kDirectory;
    if (S_ISBLK(status.st_mode)) {
      info->type = FileType::kBlockDevice;
      if (ioctl(descriptor, BLKGETSIZE64, &info->size) != 0) return errno;
    }
    return 0;
  }

  int LockFile(int descriptor) override {
    return Retry([&] { return flock(descriptor, LOCK_EX | LOCK_NB); });
  }

  int Truncate(int descriptor, uint64_t size) override {
    return Retry([&] { return ftruncate(descriptor, static_cast<off_t>(size)); });
  }

  int Allocate(int descriptor, uint64_t offset, uint64_t size) override {
    const int error = Retry([&] {
      return fallocate(descriptor, 0, static_cast<off_t>(offset), static_cast<off_t>(size));
    });
    return error == EOPNOTSUPP || error == ENOSYS ? WriteZeros(descriptor, offset, size) : error;
  }

  int ReadAt(int descriptor, void* buffer, size_t size, uint64_t offset, size_t* got) override {
    *got = 0;
    while (*got < size) {
      ssize_t n;
      const int error = Retry(
          [&] {
            return pread(descriptor, static_cast<char*>(buffer) + *got, size - *got,
                         static_cast<off_t>(offset + *got));
          },
          &n);
      if (error != 0) return error;
      if (n == 0) return 0;
      *got += static_cast<size_t>(n);
    }
    return 0;
  }

  int WriteAt(int descriptor, const void* buffer, size_t size, uint64_t offset) override {
    size_t written = 0;
    while (written < size) {
      ssize_t n;
      const int error = Retry(
          [&] {
            return pwrite(descriptor, static_cast<const char*>(buffer) + written, size - written,
                          static_cast<off_t>(offset + written));
          },
          &n);
      if (error != 0) return error;
      if (n == 0) return EIO;
      written += static_cast<size_t>(n);
    }
    return 0;
  }

  int WriteThrough(int descriptor, const void* buffer, size_t size, uint64_t offset) override {
    iovec part = {const_cast<void*>(buffer), size};
    ssize_t n;
    const int error = Retry(
        [&] { return pwritev2(descriptor, &part, 1, static_cast<off_t>(offset), RWF_DSYNC); }, &n);
    if (error == 0 && static_cast<size_t>(n) == size) return 0;
    // Interrupted half way, or the kernel or the file system does not know the flag.
    if (error != 0 && error != EOPNOTSUPP && error != ENOSYS && error != EINVAL) return error;
    const int written = WriteAt(descriptor, buffer, size, offset);
    return written != 0 ? written : SyncData(descriptor);
  }

  int SyncData(int descriptor) override {
    return Retry([&] { return fdatasync(descriptor); });
  }

  int SyncParent(const char* path) override {
    const std::string name(path);
    const size_t slash = name.rfind('/');
    const std::string parent = slash == std::string::npos ? "."
                               : slash == 0               ? "/"
                                                          : name.substr(0, slash);
    int directory;
    int error =
        Retry([&] { return open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }, &directory);
    if (error != 0) return error;
    error = Retry([&] { return fsync(directory); });
    Close(directory);
    return error;
  }

  int Map(void** address, size_t size, const MapMode& mode) override {
    int flags = mode.shared && !mode.reserve ? MAP_SHARED : MAP_PRIVATE;
    if (mode.descriptor < 0) flags |= MAP_ANONYMOUS;
    if (mode.reserve) flags |= MAP_NORESERVE;
    if (*address != nullptr) flags |= MAP_FIXED;
    void* const got = mmap(*address, size, mode.reserve ? PROT_NONE : mode.protection, flags,
                           mode.descriptor, static_cast<off_t>(mode.offset));
    if (got == MAP_FAILED) return errno;
    *address = got;
    return 0;
  }

  int Unmap(void* address, size_t size) override { return munmap(address, size) == 0 ? 0 : errno; }
  int Protect(void* address, size_t size, int protection) override {
    return mprotect(address, size, protection) == 0 ? 0 : errno;
  }
  int Advise(void* address, size_t size, int advice) override {
    return Retry([&] { return madvise(address, size, advice); });
  }
  int LockPages(void* address, size_t size) override {
    return mlock(address, size) == 0 ? 0 : errno;
  }
  int UnlockPages(void* address, size_t size) override {
    return munlock(address, size) == 0 ? 0 : errno;
  }
  int SyncPages(void* address, size_t size, bool wait) override {
    return Retry([&] { return msync(address, size, wait ? MS_SYNC : MS_ASYNC); });
  }
  int Residency(void* address, size_t size, unsigned char* pages) override {
    return mincore(address, size, pages) == 0 ? 0 : errno;
  }

  int CountCached(int descriptor, uint64_t offset, uint64_t size, CacheCounts* counts) override {
    struct {
      uint64_t offset, size;
    } range = {offset, size};
    struct {
      uint64_t cached, dirty, writeback, evicted, recently_evicted;
    } answer = {};
    if (syscall(SYS_cachestat, descriptor, &range, &answer, 0) != 0) return errno;
    *counts = {answer.cached, answer.dirty, answer.writeback};
    return 0;
  }

  int Evict(int descriptor, uint64_t offset, uint64_t size) override {
    return posix_fadvise(descriptor, static_cast<off_t>(offset), static_cast<off_t>(size),
                         POSIX_FADV_DONTNEED);
  }

 private:
  // For file systems without fallocate: zeros behind the end of the file, and holes stay holes.
  int WriteZeros(int descriptor, uint64_t offset, uint64_t size) {
    static const char zeros[64 * 1024] = {};
    FileInfo info;
    if (const int error = Stat(descriptor, &info); error != 0) return error;
    uint64_t at = std::max(offset, info.size);
    while (at < offset + size) {
      const size_t part = std::min<uint64_t>(sizeof zeros, offset + size - at);
      if (const int error = WriteAt(descriptor, zeros, part, at); error != 0) return error;
      at += part;
    }
    return 0;
  }
};

}  // namespace

FileSystem& SystemFiles() {
  static LinuxFiles& files = *new LinuxFiles;
  return files;
}

}  // namespace prairie
