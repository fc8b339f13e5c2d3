// The kernel's file system, of which a call fails by plan: the n-th of all, or of one kind.
#ifndef PRAIRIE_TESTS_RUNTIME_FAILING_FILES_H_
#define PRAIRIE_TESTS_RUNTIME_FAILING_FILES_H_

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "runtime/os/file_system.h"

namespace prairie {

class FailingFiles : public FileSystem {
 public:
  // The n-th call from now (1: the next) of the method `name`, or of any if it is empty, answers
  // with `error` and does nothing. One plan at a time.
  void FailNth(int n, int error, const std::string& name = "") {
    countdown_ = n;
    error_ = error;
    name_ = name;
    failed_ = false;
  }
  // Every call of the method fails from now on.
  void FailAlways(int error, const std::string& name) {
    FailNth(1, error, name);
    always_ = true;
  }
  void Heal() { countdown_ = 0, always_ = false; }
  // Whether the plan has come true.
  bool failed() const { return failed_; }
  int calls(const std::string& name) { return calls_[name]; }
  int open_descriptors() const { return open_descriptors_; }

  size_t PageSize() const override { return system_.PageSize(); }
  int Open(const char* path, OpenMode mode, int* fd) override {
    if (const int error = Count("Open")) return error;
    const int error = system_.Open(path, mode, fd);
    if (error == 0) ++open_descriptors_;
    return error;
  }
  int Duplicate(int fd, int* copy) override {
    if (const int error = Count("Duplicate")) return error;
    const int error = system_.Duplicate(fd, copy);
    if (error == 0) ++open_descriptors_;
    return error;
  }
  // The descriptor is closed even then, as Linux does it.
  int Close(int fd) override {
    --open_descriptors_;
    const int error = Count("Close");
    const int closed = system_.Close(fd);
    return error != 0 ? error : closed;
  }
  int Stat(int fd, FileInfo* info) override {
    if (const int error = Count("Stat")) return error;
    return system_.Stat(fd, info);
  }
  int LockFile(int fd) override {
    if (const int error = Count("LockFile")) return error;
    return system_.LockFile(fd);
  }
  int Truncate(int fd, uint64_t size) override {
    if (const int error = Count("Truncate")) return error;
    return system_.Truncate(fd, size);
  }
  int Allocate(int fd, uint64_t offset, uint64_t size) override {
    if (const int error = Count("Allocate")) return error;
    return system_.Allocate(fd, offset, size);
  }
  int ReadAt(int fd, void* buffer, size_t size, uint64_t offset, size_t* got) override {
    if (const int error = Count("ReadAt")) return error;
    return system_.ReadAt(fd, buffer, size, offset, got);
  }
  int WriteAt(int fd, const void* buffer, size_t size, uint64_t offset) override {
    if (const int error = Count("WriteAt")) return error;
    return system_.WriteAt(fd, buffer, size, offset);
  }
  int WriteThrough(int fd, const void* buffer, size_t size, uint64_t offset) override {
    if (const int error = Count("WriteThrough")) return error;
    return system_.WriteThrough(fd, buffer, size, offset);
  }
  int SyncData(int fd) override {
    if (const int error = Count("SyncData")) return error;
    return system_.SyncData(fd);
  }
  int SyncParent(const char* path) override {
    if (const int error = Count("SyncParent")) return error;
    return system_.SyncParent(path);
  }
  int Map(void** address, size_t size, const MapMode& mode) override {
    if (const int error = Count(mode.reserve ? "Reserve" : "Map")) return error;
    return system_.Map(address, size, mode);
  }
  int Unmap(void* address, size_t size) override {
    if (const int error = Count("Unmap")) return error;
    return system_.Unmap(address, size);
  }
  int Protect(void* address, size_t size, int protection) override {
    if (const int error = Count("Protect")) return error;
    return system_.Protect(address, size, protection);
  }
  int Advise(void* address, size_t size, int advice) override {
    if (const int error = Count("Advise")) return error;
    return system_.Advise(address, size, advice);
  }
  int LockPages(void* address, size_t size) override {
    if (const int error = Count("LockPages")) return error;
    return system_.LockPages(address, size);
  }
  int UnlockPages(void* address, size_t size) override {
    if (const int error = Count("UnlockPages")) return error;
    return system_.UnlockPages(address, size);
  }
  int SyncPages(void* address, size_t size, bool wait) override {
    if (const int error = Count("SyncPages")) return error;
    return system_.SyncPages(address, size, wait);
  }
  int Residency(void* address, size_t size, unsigned char* pages) override {
    if (const int error = Count("Residency")) return error;
    return system_.Residency(address, size, pages);
  }
  int CountCached(int fd, uint64_t offset, uint64_t size, CacheCounts* counts) override {
    if (const int error = Count("CountCached")) return error;
    return system_.CountCached(fd, offset, size, counts);
  }
  int Evict(int fd, uint64_t offset, uint64_t size) override {
    if (const int error = Count("Evict")) return error;
    return system_.Evict(fd, offset, size);
  }

 private:
  int Count(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    ++calls_[name];
    if (countdown_ == 0 || (!name_.empty() && name_ != name)) return 0;
    if (!always_ && --countdown_ != 0) return 0;
    failed_ = true;
    return error_;
  }

  FileSystem& system_ = SystemFiles();
  std::mutex mutex_;  // Calls come from threads of the library, too.
  int countdown_ = 0;
  int error_ = 0;
  bool always_ = false;
  bool failed_ = false;
  std::string name_;
  std::atomic<int> open_descriptors_{0};
  std::map<std::string, int> calls_;
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_RUNTIME_FAILING_FILES_H_
