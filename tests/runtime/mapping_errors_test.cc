// What can be wrong with a file, and each call that can fail: a clear error, and nothing is lost.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <limits>

#include "prairie/growable_file.hpp"
#include "prairie/mapping.hpp"
#include "prairie/reader_at.hpp"
#include "runtime/guard/closed_regions.h"
#include "runtime/mapping/region.h"
#include "tests/runtime/failing_files.h"
#include "tests/runtime/temporary_file.h"
#include "tests/support/needs.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;
const CallSite kHere = CallSite::current();

TEST(MappingErrorsTest, NoSuchFile) {
  const Result<Mapping> mapping = Mapping::map(TemporaryPath("missing"));
  EXPECT_EQ(mapping.error(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(mapping.error().message(), "No such file or directory");
  EXPECT_EQ(Mapping::map("").error(), std::errc::no_such_file_or_directory);
}

// In every build: what is not there would be read, and the program go on.
TEST(MappingErrorsDeathTest, WhoDoesNotAskForTheErrorIsToldIt) {
  const std::string missing = TemporaryPath("missing");
  EXPECT_DEATH((void)(*Mapping::map(missing)).size(), "Result .*: No such file or directory");
  EXPECT_DEATH((void)Mapping::map(missing)->size(), "No such file or directory");
  EXPECT_DEATH((void)Mapping::map(missing).value().size(), "No such file or directory");
}

TEST(MappingErrorsTest, NotAFile) {
  const std::string pipe = TemporaryPath("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {testing::TempDir(), pipe, std::string("/dev/null")}) {
    for (const Access access : {Access::kRead, Access::kReadWrite, Access::kCopyOnWrite}) {
      EXPECT_EQ(Mapping::map(path, {.access = access}).error(), MapError::kNotMappable) << path;
    }
  }
  EXPECT_EQ(unlink(pipe.c_str()), 0);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EXPECT_EQ(Mapping::map_descriptor(ends[0]).error(), MapError::kNotMappable);
  close(ends[0]), close(ends[1]);
  const std::string name = TemporaryPath("s");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.size() < sizeof address.sun_path) {
    name.copy(address.sun_path, name.size());
    const int server = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(Mapping::map(name).error(), MapError::kNotMappable);
    close(server);
    unlink(name.c_str());
  }
}

TEST(MappingErrorsTest, NoPermission) {
  // Root may do everything: so in a child that is nobody. The directory must let it pass.
  char directory[] = "/tmp/prairie_mapping.XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  ASSERT_EQ(chmod(directory, 0755), 0);
  const std::string readable = directory + std::string("/readable");
  const std::string hidden = directory + std::string("/hidden");
  for (const std::string& path : {readable, hidden}) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
    ASSERT_EQ(ftruncate(fd, kPage), 0);
    ASSERT_EQ(fchmod(fd, path == readable ? 0444 : 0), 0);
    close(fd);
  }
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
         setresuid(kNobody, kNobody, kNobody) != 0)) {
      _exit(1);
    }
    const std::error_code denied = std::make_error_code(std::errc::permission_denied);
    if (!Mapping::map(readable).ok()) _exit(2);
    if (Mapping::map(readable, {.access = Access::kReadWrite}).error() != denied) _exit(3);
    if (!Mapping::map(readable, {.access = Access::kCopyOnWrite}).ok()) _exit(4);
    if (Mapping::map(hidden).error() != denied) _exit(5);
    if (ReaderAt::open(hidden).error() != denied) _exit(6);
    if (GrowableFile::open(readable).error() != denied) _exit(7);
    if (GrowableFile::open(hidden, {.write = false}).error() != denied) _exit(8);
    _exit(0);
  }
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  unlink(readable.c_str());
  unlink(hidden.c_str());
  EXPECT_EQ(rmdir(directory), 0);
}

// What root meets: a descriptor that was opened for reading.
TEST(MappingErrorsTest, DescriptorOnlyForReading) {
  TemporaryFile file(kPage);
  const int fd = open(file.path().c_str(), O_RDONLY);
  EXPECT_EQ(Mapping::map_descriptor(fd, {.access = Access::kReadWrite}).error(),
            std::errc::permission_denied);
  close(fd);
}

TEST(MappingErrorsTest, ReadOnlyFileSystem) {
  // /proc and /sys hold files that nobody may write; a mount of our own needs rights.
  const std::string directory = TemporaryPath("mount");
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  if (mount("none", directory.c_str(), "tmpfs", 0, "size=1m") != 0) {
    rmdir(directory.c_str());
    GTEST_SKIP() << "mounting needs root";
  }
  const std::string path = directory + "/file";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(ftruncate(fd, kPage), 0);
  close(fd);
  EXPECT_EQ(mount("none", directory.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
  EXPECT_EQ(Mapping::map(path, {.access = Access::kReadWrite}).error(),
            std::errc::read_only_file_system);
  EXPECT_TRUE(Mapping::map(path).ok());
  EXPECT_EQ(umount2(directory.c_str(), MNT_DETACH), 0);
  EXPECT_EQ(rmdir(directory.c_str()), 0);
}

TEST(MappingErrorsTest, PartsThatAreNotThere) {
  TemporaryFile file(100);
  const auto error = [&](int64_t offset, std::optional<int64_t> length = {}) {
    return Mapping::map(file.path(), {.offset = offset, .length = length}).error();
  };
  EXPECT_EQ(error(-1), std::errc::invalid_argument);
  EXPECT_EQ(error(0, -1), std::errc::invalid_argument);
  EXPECT_EQ(error(std::numeric_limits<int64_t>::min()), std::errc::invalid_argument);
  EXPECT_EQ(error(101), MapError::kOutOfRange);
  EXPECT_EQ(error(std::numeric_limits<int64_t>::max()), MapError::kOutOfRange);
  EXPECT_EQ(error(0, 101), MapError::kOutOfRange);
  EXPECT_EQ(error(50, 51), MapError::kOutOfRange);
  EXPECT_EQ(error(50, std::numeric_limits<int64_t>::max()), MapError::kOutOfRange);
  EXPECT_FALSE(error(100));
  EXPECT_FALSE(error(50, 0));
}

// Fails each call in turn: an error comes out, and no descriptor stays open.
TEST(MappingErrorsTest, EachCallOfMap) {
  TemporaryFile file(3 * kPage);
  for (const bool in_arena : {false, true}) {
    for (const bool huge : {false, true}) {
      int n = 1;
      for (;; ++n) {
        FailingFiles files;
        files.FailNth(n, ENOMEM);
        Result<Mapping> mapping = MappingInternals::Map(
            files, file.path(), {.huge_pages = huge, .in_arena = in_arena}, kHere);
        if (!files.failed()) {
          ASSERT_TRUE(mapping.ok());
          break;
        }
        if (mapping.ok()) {  // Advice may fail.
          EXPECT_TRUE(huge);
          EXPECT_TRUE(HasPattern(mapping->bytes()));
        } else {
          EXPECT_EQ(mapping.error(), std::errc::not_enough_memory);
          EXPECT_EQ(files.open_descriptors(), 0);
        }
      }
      EXPECT_GE(n, 4) << "open, stat, map";
    }
  }
}

TEST(MappingErrorsTest, EachCallOfAnEmptyMap) {
  TemporaryFile file(0);
  for (int n = 1; n <= 3; ++n) {
    FailingFiles files;
    files.FailNth(n, EIO);
    EXPECT_EQ(MappingInternals::Map(files, file.path(), {}, kHere).error(), std::errc::io_error);
    EXPECT_TRUE(files.failed());
    EXPECT_EQ(files.open_descriptors(), 0);
  }
}

TEST(MappingErrorsTest, EachCallOfClose) {
  PRAIRIE_NEEDS_ADDRESS_SPACE(kUnlimited, "closed addresses are kept where they are not limited");
  TemporaryFile file(3 * kPage);
  for (const bool in_arena : {false, true}) {
    for (int n = 1; n <= 2; ++n) {
      FailingFiles files;
      Result<Mapping> mapping =
          MappingInternals::Map(files, file.path(), {.in_arena = in_arena}, kHere);
      ASSERT_TRUE(mapping.ok());
      files.FailNth(n, n == 1 ? ENOMEM : EIO);
      const std::error_code error = mapping->close();
      EXPECT_TRUE(files.failed());
      EXPECT_FALSE(mapping->is_open()) << "it is closed all the same";
      EXPECT_EQ(files.open_descriptors(), 0);
      if (n == 2) {
        EXPECT_EQ(error, std::errc::io_error);
      }
    }
  }
}

// The kernel's number of mappings is reached: neither covering nor unmapping works.
class StubbornFiles : public FailingFiles {
 public:
  bool stubborn = false;
  int Map(void** address, size_t size, const MapMode& mode) override {
    return stubborn ? ENOMEM : FailingFiles::Map(address, size, mode);
  }
  int Unmap(void* address, size_t size) override {
    return stubborn ? ENOMEM : FailingFiles::Unmap(address, size);
  }
};

TEST(MappingErrorsTest, KernelKeepsTheMemory) {
  TemporaryFile file(3 * kPage);
  for (const bool in_arena : {false, true}) {
    StubbornFiles files;
    Result<Mapping> mapping =
        MappingInternals::Map(files, file.path(), {.in_arena = in_arena}, kHere);
    ASSERT_TRUE(mapping.ok());
    const std::byte* const bytes = mapping->data();
    files.stubborn = true;
    EXPECT_EQ(mapping->close(), std::errc::not_enough_memory);
    EXPECT_FALSE(mapping->is_open());
    EXPECT_TRUE(HasPattern({bytes, kPage})) << "it is still there, and nobody else's";
    EXPECT_EQ(files.open_descriptors(), 0);
  }
}

TEST(MappingErrorsTest, EachService) {
  TemporaryFile file(3 * kPage);
  FailingFiles files;
  Result<Mapping> made =
      MappingInternals::Map(files, file.path(), {.access = Access::kReadWrite}, kHere);
  ASSERT_TRUE(made.ok());
  Mapping& mapping = *made;
  const auto code = [](int error) { return std::error_code(error, std::generic_category()); };
  const std::pair<const char*, std::function<std::error_code()>> services[] = {
      {"Protect", [&] { return mapping.protect({}, {.read = true}); }},
      {"Advise", [&] { return mapping.advise({}, Advice::kCold); }},
      {"LockPages", [&] { return mapping.lock(); }},
      {"UnlockPages", [&] { return mapping.unlock(); }},
      {"SyncPages", [&] { return mapping.sync(); }},
      {"Residency", [&] { return mapping.residency().error(); }},
      {"Advise", [&] { return mapping.validate(); }},
      {"Stat", [&] { return mapping.validate(); }},
  };
  for (const auto& [name, call] : services) {
    files.FailNth(1, ENOMEM, name);
    EXPECT_EQ(call(), code(ENOMEM)) << name;
    EXPECT_TRUE(files.failed()) << name;
    EXPECT_FALSE(call()) << name;
  }
}

// Before Linux 6.5 there is no cachestat, before 5.14 no populating.
TEST(MappingErrorsTest, OldKernels) {
  TemporaryFile file(30 * kPage + 5);
  FailingFiles files;
  Result<Mapping> mapping = MappingInternals::Map(files, file.path(), {.offset = 7}, kHere);
  ASSERT_TRUE(mapping.ok());
  files.FailAlways(ENOSYS, "CountCached");
  EXPECT_EQ(mapping->count_resident()->resident, 31U);
  EXPECT_TRUE(mapping->stats().ok());
  EXPECT_TRUE(files.failed());
  files.Heal();
  files.FailAlways(EINVAL, "Advise");
  EXPECT_FALSE(mapping->validate());
  EXPECT_TRUE(files.failed());
  file.Truncate(kPage * 20);
  EXPECT_EQ(mapping->validate(), MapError::kTruncated);
  EXPECT_FALSE(mapping->validate({0, 20 * kPage - 7}));
}

TEST(MappingErrorsTest, Messages) {
  for (int value = 1; value <= static_cast<int>(MapError::kCancelled); ++value) {
    const std::error_code error = static_cast<MapError>(value);
    EXPECT_STREQ(error.category().name(), "prairie");
    EXPECT_EQ(error.message().find("unknown error"), std::string::npos) << value;
  }
  EXPECT_NE(std::error_code(99, map_category()).message().find("unknown"), std::string::npos);
  EXPECT_EQ(std::error_code(MapError::kIoError), std::errc::io_error);
}

}  // namespace
}  // namespace prairie
