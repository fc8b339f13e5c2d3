// Files of a test, in the directory that the test runner gives.
#ifndef PRAIRIE_TESTS_RUNTIME_TEMPORARY_FILE_H_
#define PRAIRIE_TESTS_RUNTIME_TEMPORARY_FILE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace prairie {

// MiB of address space that no limit is as large as.
inline constexpr size_t kUnlimited = size_t{1} << 30;

inline std::string TemporaryPath(const std::string& name) {
  static int count = 0;
  return testing::TempDir() + "/" + name + "." + std::to_string(getpid()) + "." +
         std::to_string(count++);
}

// A byte for each offset; never zero, and no period near a page's size.
inline std::byte PatternAt(uint64_t offset) { return static_cast<std::byte>(1 + offset % 251); }

class TemporaryFile {
 public:
  explicit TemporaryFile(size_t size) : path_(TemporaryPath("file")) {
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644);
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = PatternAt(i);
    EXPECT_EQ(write(fd, bytes.data(), size), static_cast<ssize_t>(size));
    close(fd);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  void Truncate(size_t size) { EXPECT_EQ(truncate(path_.c_str(), static_cast<off_t>(size)), 0); }
  std::vector<std::byte> Contents() const {
    const int fd = open(path_.c_str(), O_RDONLY);
    struct stat status;
    EXPECT_EQ(fstat(fd, &status), 0);
    std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
    EXPECT_EQ(read(fd, bytes.data(), bytes.size()), status.st_size);
    close(fd);
    return bytes;
  }

 private:
  std::string path_;
};

inline bool HasPattern(std::span<const std::byte> bytes, uint64_t offset = 0) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != PatternAt(offset + i)) return false;
  }
  return true;
}

}  // namespace prairie

#endif  // PRAIRIE_TESTS_RUNTIME_TEMPORARY_FILE_H_
