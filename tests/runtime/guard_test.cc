// Guarded access: a file that shrinks or fails is an error of the access.
#include "runtime/guard/guard.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "prairie/mapping.hpp"
#include "runtime/mapping/region.h"
#include "tests/runtime/failing_files.h"
#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;

class GuardTest : public testing::Test {
 protected:
  GuardTest() : file_(40 * kPage) {
    Result<Mapping> mapping = Mapping::map(file_.path(), {.access = Access::kReadWrite});
    EXPECT_TRUE(mapping.ok());
    mapping_ = *std::move(mapping);
  }
  std::error_code Read(size_t offset, size_t size) {
    buffer_.assign(size, std::byte{0xee});
    return mapping_.copy_from(offset, buffer_);
  }

  TemporaryFile file_;
  Mapping mapping_;
  std::vector<std::byte> buffer_;
};

TEST_F(GuardTest, CopiesWhatIsThere) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{64}, kPage, 40 * kPage - 3}) {
    EXPECT_FALSE(Read(3, size));
    EXPECT_TRUE(HasPattern(buffer_, 3));
  }
  EXPECT_EQ(Read(40 * kPage, 1), MapError::kOutOfRange);
  EXPECT_EQ(Read(1, 40 * kPage), MapError::kOutOfRange);
  EXPECT_EQ(Read(SIZE_MAX, 2), MapError::kOutOfRange);
  EXPECT_FALSE(Read(40 * kPage, 0));
  EXPECT_EQ(mapping_.stats()->caught_faults, 0U);
}

// Small copies have a path for each size; nothing beside them is written.
TEST_F(GuardTest, EverySmallSize) {
  for (size_t size = 1; size <= 130; ++size) {
    for (size_t offset = kPage - 70; offset < kPage + 3; offset += 7) {
      std::vector<std::byte> buffer(size + 2, std::byte{0});
      ASSERT_FALSE(mapping_.copy_from(offset, {buffer.data() + 1, size}));
      ASSERT_TRUE(HasPattern({buffer.data() + 1, size}, offset)) << size;
      ASSERT_EQ(buffer[0], std::byte{0}) << size;
      ASSERT_EQ(buffer[size + 1], std::byte{0}) << size;
    }
  }
  file_.Truncate(kPage);
  for (size_t size = 1; size <= 130; ++size) {
    EXPECT_EQ(Read(kPage - size + 1, size), MapError::kTruncated) << size;
    EXPECT_FALSE(Read(kPage - size, size)) << size;
    EXPECT_EQ(innermost_guard, nullptr);
  }
}

TEST_F(GuardTest, PagesThatAreGone) {
  file_.Truncate(10 * kPage);
  EXPECT_FALSE(Read(0, 10 * kPage));
  EXPECT_EQ(Read(10 * kPage, 1), MapError::kTruncated);
  EXPECT_EQ(Read(10 * kPage - 1, 2), MapError::kTruncated);
  EXPECT_EQ(Read(0, 40 * kPage), MapError::kTruncated);
  EXPECT_EQ(mapping_.stats()->caught_faults, 3U);
  file_.Truncate(0);
  EXPECT_EQ(Read(0, 1), MapError::kTruncated);
}

// The rest of the last page stays mapped, and reads as zero: never silently.
TEST_F(GuardTest, RestOfTheLastPage) {
  file_.Truncate(10 * kPage + 100);
  EXPECT_FALSE(Read(10 * kPage, 100));
  EXPECT_TRUE(HasPattern(buffer_, 10 * kPage));
  EXPECT_EQ(Read(10 * kPage + 99, 2), MapError::kTruncated);
  EXPECT_EQ(Read(10 * kPage + 100, 1), MapError::kTruncated);
  EXPECT_EQ(Read(10 * kPage + 2000, 8), MapError::kTruncated);
  EXPECT_EQ(Read(11 * kPage - 1, 1), MapError::kTruncated);
  EXPECT_EQ(Read(0, 10 * kPage + 101), MapError::kTruncated);
}

TEST_F(GuardTest, RestOfTheLastPageOfTheMapping) {
  for (const size_t pages : {size_t{40}, size_t{16}}) {  // 16: the end of a fault-around window
    file_.Truncate(pages * kPage - 50);
    EXPECT_FALSE(Read(pages * kPage - 60, 10));
    EXPECT_EQ(Read(pages * kPage - 60, 11), MapError::kTruncated);
    EXPECT_EQ(Read(pages * kPage - 1, 1), MapError::kTruncated);
  }
}

TEST_F(GuardTest, EveryCutOfTwoPages) {
  for (size_t cut = 2 * kPage; cut > 0; cut -= 61) {
    file_.Truncate(cut);
    EXPECT_FALSE(Read(0, cut)) << cut;
    EXPECT_TRUE(HasPattern(buffer_)) << cut;
    EXPECT_EQ(Read(cut, 1), MapError::kTruncated) << cut;
    EXPECT_EQ(Read(0, cut + 1), MapError::kTruncated) << cut;
    if (cut <= 61) break;
  }
}

// Zeros that are the file's own are no error, wherever they lie.
TEST_F(GuardTest, HonestZeros) {
  memset(mapping_.mutable_bytes().data(), 0, mapping_.size());
  for (size_t page = 0; page < 40; ++page) {
    for (const size_t in_page : {size_t{0}, kPage / 2, kPage - 1}) {
      ASSERT_FALSE(Read(page * kPage + in_page, 1)) << page << " " << in_page;
      EXPECT_EQ(buffer_[0], std::byte{0});
    }
  }
  EXPECT_FALSE(Read(0, 40 * kPage));
  // The file ends exactly at a page, and a read ends there, too.
  file_.Truncate(5 * kPage);
  EXPECT_FALSE(Read(5 * kPage - 8, 8));
  EXPECT_EQ(Read(5 * kPage - 8, 9), MapError::kTruncated);
}

TEST_F(GuardTest, GrownAgain) {
  file_.Truncate(10);
  EXPECT_EQ(Read(0, 40 * kPage), MapError::kTruncated);
  file_.Truncate(40 * kPage);
  EXPECT_FALSE(Read(100, 39 * kPage)) << "zeros that are now in the file";
}

TEST_F(GuardTest, Writes) {
  std::vector<std::byte> bytes(3 * kPage, std::byte{9});
  EXPECT_FALSE(mapping_.copy_to(kPage, bytes));
  EXPECT_EQ(file_.Contents()[4 * kPage - 1], std::byte{9});
  EXPECT_EQ(mapping_.copy_to(38 * kPage, bytes), MapError::kOutOfRange);
  file_.Truncate(2 * kPage + 10);
  EXPECT_EQ(mapping_.copy_to(kPage, bytes), MapError::kTruncated);
  EXPECT_EQ(mapping_.copy_to(2 * kPage + 5, {bytes.data(), 10}), MapError::kTruncated)
      << "what lands behind the end is lost";
  EXPECT_FALSE(mapping_.copy_to(2 * kPage, {bytes.data(), 10}));
  Result<Mapping> reader = Mapping::map(file_.path());
  EXPECT_EQ(reader->copy_to(0, {bytes.data(), 1}), MapError::kNotWritable);
}

TEST_F(GuardTest, AccessRunsAFunction) {
  uint64_t sum = 0;
  const auto add = [&](std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) sum += static_cast<uint64_t>(byte);
  };
  EXPECT_FALSE(mapping_.access({0, 100}, add));
  uint64_t expected = 0;
  for (uint64_t i = 0; i < 100; ++i) expected += static_cast<uint64_t>(PatternAt(i));
  EXPECT_EQ(sum, expected);
  EXPECT_FALSE(mapping_.access({40 * kPage, 0}, add));
  EXPECT_EQ(mapping_.access({40 * kPage, 1}, add), MapError::kOutOfRange);
  file_.Truncate(kPage + 100);
  EXPECT_EQ(mapping_.access({}, add), MapError::kTruncated);
  EXPECT_EQ(mapping_.access({kPage, 200}, add), MapError::kTruncated) << "no signal, but zeros";
  EXPECT_FALSE(mapping_.access({kPage, 100}, add));
  EXPECT_EQ(innermost_guard, nullptr);
}

TEST_F(GuardTest, ExceptionsPassThrough) {
  EXPECT_THROW(static_cast<void>(mapping_.access(
                   {}, [](std::span<const std::byte>) { throw std::runtime_error("mine"); })),
               std::runtime_error);
  EXPECT_EQ(innermost_guard, nullptr);
}

// A fault in the range of an outer guard, while an inner one is up, ends the outer access.
TEST_F(GuardTest, Nested) {
  TemporaryFile other_file(kPage);
  Result<Mapping> other = Mapping::map(other_file.path());
  file_.Truncate(kPage);
  bool after_inner = false;
  std::error_code inner;
  const std::error_code outer = mapping_.access({}, [&](std::span<const std::byte> mine) {
    inner = other->access({}, [&](std::span<const std::byte>) {
      static_cast<void>(*const_cast<const volatile std::byte*>(&mine[20 * kPage]));
    });
    after_inner = true;
  });
  EXPECT_EQ(outer, MapError::kTruncated);
  EXPECT_FALSE(after_inner);
  EXPECT_EQ(innermost_guard, nullptr);
  other_file.Truncate(0);
  EXPECT_FALSE(mapping_.access({0, 10}, [&](std::span<const std::byte>) {
    inner = other->access({}, [](std::span<const std::byte> bytes) {
      static_cast<void>(*const_cast<const volatile std::byte*>(bytes.data()));
    });
    after_inner = true;
  }));
  EXPECT_EQ(inner, MapError::kTruncated);
  EXPECT_TRUE(after_inner) << "the outer access goes on";
}

TEST_F(GuardTest, Validate) {
  EXPECT_FALSE(mapping_.validate());
  file_.Truncate(20 * kPage + 1);
  EXPECT_EQ(mapping_.validate(), MapError::kTruncated);
  EXPECT_EQ(mapping_.validate({20 * kPage, 2}), MapError::kTruncated);
  EXPECT_FALSE(mapping_.validate({0, 20 * kPage + 1}));
  EXPECT_FALSE(mapping_.validate({100, 0}));
  EXPECT_EQ(mapping_.validate({0, 41 * kPage}), MapError::kOutOfRange);
}

TEST_F(GuardTest, SignalMaskAndErrnoAreKept) {
  file_.Truncate(0);
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Read(0, 1), MapError::kTruncated);
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < NSIG; ++signal) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  }
}

TEST_F(GuardTest, OnAnAlternateStack) {
  std::vector<char> stack(64 * 1024);
  stack_t alternate = {}, old;
  alternate.ss_sp = stack.data();
  alternate.ss_size = stack.size();
  ASSERT_EQ(sigaltstack(&alternate, &old), 0);
  file_.Truncate(0);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Read(0, 1), MapError::kTruncated);
  stack_t now;
  ASSERT_EQ(sigaltstack(nullptr, &now), 0);
  EXPECT_EQ(now.ss_flags & SS_ONSTACK, 0) << "the thread has left it";
  ASSERT_EQ(sigaltstack(&old, nullptr), 0);
}

// The file shrinks and grows while threads read: each read has the file's bytes or an error.
TEST_F(GuardTest, ShrinksDuringReads) {
  std::atomic<bool> stop{false};
  std::atomic<int> read{0}, refused{0}, wrong{0}, growths{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::byte> buffer(3 * kPage);
      // A read during which the file was cut and has grown again may see zeros, as with read(2).
      for (unsigned i = static_cast<unsigned>(t); !stop; ++i) {
        const size_t offset = (i * 7919) % (20 * kPage - buffer.size());
        const int before = growths;
        const std::error_code error = mapping_.copy_from(offset, buffer);
        if (!error) {
          ++read;
          if (!HasPattern(buffer, offset) && before % 2 == 0 && before == growths) ++wrong;
        } else if (error == MapError::kTruncated) {
          ++refused;
        } else {
          ++wrong;
        }
      }
    });
  }
  // Cut anywhere in the upper half, and never grown over what is read: there are no honest zeros.
  for (int i = 0; i < 2000 && (i < 200 || read == 0 || refused == 0); ++i) {
    file_.Truncate(20 * kPage - static_cast<size_t>(i % 200) * 400);
    std::this_thread::yield();
    if (i % 200 == 199) {
      // Whole again, and only then of its full size.
      const std::string copy = file_.path();
      const int fd = open(copy.c_str(), O_WRONLY);
      std::vector<std::byte> bytes(20 * kPage);
      for (size_t k = 0; k < bytes.size(); ++k) bytes[k] = PatternAt(k);
      ++growths;
      EXPECT_EQ(pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
      ++growths;
      close(fd);
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

// --- Faults of the medium.

class LongerFiles : public FailingFiles {
 public:
  // The file claims to be as long as ever.
  int Stat(int fd, FileInfo* info) override {
    const int error = FailingFiles::Stat(fd, info);
    info->size = std::max<uint64_t>(info->size, size_);
    size_ = info->size;
    return error;
  }

 private:
  uint64_t size_ = 0;
};

TEST_F(GuardTest, FaultInsideTheFileIsTheMediums) {
  LongerFiles files;
  Result<Mapping> mapping = MappingInternals::Map(files, file_.path(), {}, CallSite::current());
  ASSERT_TRUE(mapping.ok());
  file_.Truncate(kPage);
  std::byte byte;
  EXPECT_EQ(mapping->copy_from(2 * kPage, {&byte, 1}), MapError::kIoError);
  EXPECT_EQ(mapping->validate(), MapError::kIoError);
  EXPECT_FALSE(mapping->validate({0, kPage}));
}

TEST_F(GuardTest, FileThatCannotBeAsked) {
  FailingFiles files;
  Result<Mapping> mapping = MappingInternals::Map(files, file_.path(), {}, CallSite::current());
  file_.Truncate(kPage + 1);
  std::byte byte;
  files.FailNth(1, EIO, "Stat");
  EXPECT_EQ(mapping->copy_from(2 * kPage, {&byte, 1}), std::errc::io_error);
  files.FailNth(1, EIO, "Stat");
  EXPECT_EQ(mapping->copy_from(kPage + 1, {&byte, 1}), std::errc::io_error);
}

// A hole in a file on a full file system: to write there is SIGBUS, and the file is long enough.
TEST(GuardMediumTest, FullFileSystem) {
  const std::string directory = TemporaryPath("full");
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  if (mount("none", directory.c_str(), "tmpfs", 0, "size=64k,huge=never") != 0) {
    rmdir(directory.c_str());
    GTEST_SKIP() << "mounting needs root";
  }
  const std::string path = directory + "/file";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(ftruncate(fd, 1 << 20), 0);
  close(fd);
  {
    Result<Mapping> mapping = Mapping::map(path, {.access = Access::kReadWrite});
    ASSERT_TRUE(mapping.ok());
    const std::vector<std::byte> bytes(1 << 20, std::byte{1});
    EXPECT_EQ(mapping->copy_to(0, bytes), MapError::kIoError);
  }
  EXPECT_EQ(umount2(directory.c_str(), MNT_DETACH), 0);
  rmdir(directory.c_str());
}

}  // namespace
}  // namespace prairie
