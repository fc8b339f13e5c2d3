// The files that the benchmarks of mapped files work on. They lie in $BENCH_DIR, by default the
// current directory, and go when the program ends.
#ifndef PRAIRIE_BENCH_MAPPED_FILES_H_
#define PRAIRIE_BENCH_MAPPED_FILES_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace prairie_bench {

inline constexpr size_t kFileBytes = size_t{256} << 20;
inline constexpr size_t kPage = 4096;

inline std::string PathOf(const char* name) {
  const char* const directory = getenv("BENCH_DIR");
  return std::string(directory != nullptr ? directory : ".") + "/prairie_bench." + name;
}

// One without zero bytes.
class BenchFile {
 public:
  explicit BenchFile(const char* name) : path_(PathOf(name)) {
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    std::vector<unsigned char> part(1 << 20);
    std::mt19937 random(1);
    for (unsigned char& byte : part) byte = static_cast<unsigned char>(1 + random() % 255);
    for (size_t at = 0; at < kFileBytes; at += part.size()) {
      if (write(fd, part.data(), part.size()) != static_cast<ssize_t>(part.size())) abort();
    }
    if (fdatasync(fd) != 0) abort();
    close(fd);
  }
  ~BenchFile() { unlink(path_.c_str()); }
  BenchFile(const BenchFile&) = delete;
  BenchFile& operator=(const BenchFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// Fails the benchmark program, not one benchmark: its figures would mean nothing.
inline void Must(bool good) {
  if (!good) abort();
}

}  // namespace prairie_bench

#endif  // PRAIRIE_BENCH_MAPPED_FILES_H_
