// A folder that stands for the root of a machine: tests write the files of /proc and /sys into it.
#ifndef PRAIRIE_TESTS_SUPPORT_FAKE_ROOT_H_
#define PRAIRIE_TESTS_SUPPORT_FAKE_ROOT_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace prairie {

class FakeRoot {
 public:
  FakeRoot() {
    std::string pattern = testing::TempDir() + "prairie_root_XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      ADD_FAILURE() << "no folder " << pattern;
      return;
    }
    path_ = pattern;
  }
  ~FakeRoot() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  // `name`: from the root, "/proc/meminfo".
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = path_ + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path);
    file << text;
    file.close();
    if (!file) ADD_FAILURE() << "cannot write " << path;
  }

  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_FAKE_ROOT_H_
