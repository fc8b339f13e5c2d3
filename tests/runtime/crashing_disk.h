// A disk with one file, in front of which a page cache stands: what was written and not synced may
// or may not be there after a crash, each sector for itself, in any order, some in part.
// If only the process dies, the page cache stays.
#ifndef PRAIRIE_TESTS_RUNTIME_CRASHING_DISK_H_
#define PRAIRIE_TESTS_RUNTIME_CRASHING_DISK_H_

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "tests/runtime/failing_files.h"

namespace prairie {

using DiskImage = std::vector<unsigned char>;

// What the medium holds, and what the page cache says that it holds.
struct DiskState {
  DiskImage durable;
  DiskImage cached;
};

// The page cache is a memory file, which GrowableFile maps like any other. A step is a call that
// changes the file or waits for the medium.
class CrashingDisk : public FailingFiles {
 public:
  static constexpr size_t kSector = 512;

  // crash_at: the step at which the machine dies (1: the first); 0: none.
  CrashingDisk(const DiskState& disk, int crash_at, unsigned seed)
      : durable_(disk.durable), crash_at_(crash_at), random_(seed) {
    const DiskImage& image = disk.cached;
    cache_ = memfd_create("disk", MFD_CLOEXEC);
    EXPECT_GE(cache_, 0);
    EXPECT_EQ(pwrite(cache_, image.data(), image.size(), 0), static_cast<ssize_t>(image.size()));
  }
  ~CrashingDisk() { close(cache_); }

  bool crashed() const { return crashed_; }
  int steps() const { return steps_; }

  // After the crash, or the end, of the process alone.
  DiskState StateAfterDeath() const { return {durable_, ReadCache()}; }

  // What the medium holds after the crash, or after a loss of power now.
  DiskImage ImageAfterCrash() {
    const DiskImage cached = ReadCache();
    // What share of the unsynced sectors made it: none, few, half, most, all.
    constexpr int kShares[] = {0, 5, 50, 95, 100};
    const int share = kShares[random_() % 5];
    const auto made_it = [&] { return static_cast<int>(random_() % 100) < share; };
    DiskImage image(made_it() ? cached.size() : durable_.size());
    for (size_t at = 0; at < image.size(); at += kSector) {
      const bool new_wins = made_it();
      CopySector(new_wins ? cached : durable_, at, &image);
      // Or the power went while it was being written.
      if (share % 100 != 0 && random_() % 4 == 0) Tear(new_wins ? durable_ : cached, at, &image);
    }
    return image;
  }

  int Open(const char*, OpenMode, int* fd) override {
    if (crashed_) return EIO;
    *fd = fcntl(cache_, F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? errno : 0;
  }
  int LockFile(int) override { return crashed_ ? EIO : 0; }
  int Truncate(int fd, uint64_t size) override {
    return Step() ? EIO : SystemFiles().Truncate(fd, size);
  }
  int Allocate(int fd, uint64_t offset, uint64_t size) override {
    return Step() ? EIO : SystemFiles().Allocate(fd, offset, size);
  }
  int WriteAt(int fd, const void* buffer, size_t size, uint64_t offset) override {
    return Step() ? EIO : SystemFiles().WriteAt(fd, buffer, size, offset);
  }
  int WriteThrough(int fd, const void* buffer, size_t size, uint64_t offset) override {
    if (crashed_) return EIO;
    // The end can come between the page cache and the medium.
    const bool dies = Step();
    if (dies && random_() % 2 == 0) return EIO;
    if (const int error = SystemFiles().WriteAt(fd, buffer, size, offset)) return error;
    if (dies) return EIO;
    const DiskImage cached = ReadCache();
    durable_.resize(std::max<size_t>(durable_.size(), offset + size));
    for (size_t at = offset / kSector * kSector; at < offset + size; at += kSector) {
      CopySector(cached, at, &durable_);
    }
    return 0;
  }
  int SyncData(int) override {
    if (Step()) return EIO;
    durable_ = ReadCache();
    return 0;
  }
  int SyncParent(const char*) override { return Step() ? EIO : 0; }

 private:
  // Whether the machine is dead. Before it dies the kernel has written back what it liked.
  bool Step() {
    if (crashed_) return true;
    if (random_() % 2 == 0) WriteBackSome();
    crashed_ = ++steps_ == crash_at_;
    return crashed_;
  }

  void WriteBackSome() {
    const DiskImage cached = ReadCache();
    if (random_() % 2 == 0) durable_.resize(std::max(durable_.size(), cached.size()));
    for (size_t at = 0; at < std::min(durable_.size(), cached.size()); at += kSector) {
      if (random_() % 4 == 0) CopySector(cached, at, &durable_);
    }
  }

  // What lies past the end of `from` is zero.
  static void CopySector(const DiskImage& from, size_t at, DiskImage* to) {
    const size_t size = std::min(kSector, to->size() - at);
    const size_t there = at < from.size() ? std::min(size, from.size() - at) : 0;
    if (there != 0) memcpy(to->data() + at, from.data() + at, there);
    memset(to->data() + at + there, 0, size - there);
  }

  // The rest of the sector, from any byte on, is of the other version.
  void Tear(const DiskImage& other, size_t sector, DiskImage* to) {
    const size_t end = std::min({sector + kSector, to->size(), other.size()});
    const size_t at = sector + random_() % (random_() % 2 == 0 ? 120 : kSector);
    if (at < end) memcpy(to->data() + at, other.data() + at, end - at);
  }

  DiskImage ReadCache() const {
    DiskImage image(static_cast<size_t>(lseek(cache_, 0, SEEK_END)));
    EXPECT_EQ(pread(cache_, image.data(), image.size(), 0), static_cast<ssize_t>(image.size()));
    return image;
  }

  int cache_;
  DiskImage durable_;
  int crash_at_;
  int steps_ = 0;
  bool crashed_ = false;
  std::mt19937 random_;
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_RUNTIME_CRASHING_DISK_H_
