// Growable files: growth at one address, commits, readers, and every error.
#include "prairie/growable_file.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "prairie/prairie.h"
#include "runtime/growable/file_header.h"
#include "runtime/growable/growable_internals.h"
#include "tests/runtime/failing_files.h"
#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;
const CallSite kHere = CallSite::current();

std::vector<std::byte> Pattern(size_t size, uint64_t offset = 0) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = PatternAt(offset + i);
  return bytes;
}

class GrowableFileTest : public testing::Test {
 protected:
  ~GrowableFileTest() { unlink(path_.c_str()); }
  GrowableFile Open(const GrowableOptions& options = {}) {
    Result<GrowableFile> file = GrowableFile::open(path_, options);
    EXPECT_TRUE(file.ok()) << file.error().message();
    return file.ok() ? *std::move(file) : GrowableFile();
  }
  size_t SizeOnDisk() {
    struct stat status;
    EXPECT_EQ(stat(path_.c_str(), &status), 0);
    return static_cast<size_t>(status.st_size);
  }

  std::string path_ = TemporaryPath("growable");
};

TEST_F(GrowableFileTest, GrowsInPlace) {
  GrowableFile file = Open();
  EXPECT_EQ(file.size(), 0U);
  EXPECT_EQ(file.sequence(), 1U);
  const std::byte* const data = file.data();
  for (uint64_t at = 0; at < (20 << 20); at += 100000) {
    const Result<uint64_t> where = file.append(Pattern(100000, at));
    ASSERT_TRUE(where.ok());
    EXPECT_EQ(*where, at);
    ASSERT_EQ(file.data(), data);
    ASSERT_GE(file.capacity(), file.size());
  }
  EXPECT_TRUE(HasPattern(file.bytes()));
  EXPECT_FALSE(file.commit());
  const uint64_t size = file.size();
  EXPECT_FALSE(file.close());
  EXPECT_EQ(SizeOnDisk(), size + kHeaderBytes) << "what was allocated ahead is given back";
  const GrowableFile again = Open();
  EXPECT_EQ(again.size(), size);
  EXPECT_TRUE(HasPattern(again.bytes()));
}

TEST_F(GrowableFileTest, OnlyCommitsLast) {
  {
    GrowableFile file = Open();
    ASSERT_TRUE(file.append(Pattern(100)).ok());
    ASSERT_FALSE(file.commit());
    EXPECT_EQ(file.committed_size(), 100U);
    ASSERT_TRUE(file.append(Pattern(50, 100)).ok());
    EXPECT_EQ(file.size(), 150U);
    EXPECT_EQ(file.uncommitted().size(), 50U);
  }
  GrowableFile file = Open();
  EXPECT_EQ(file.size(), 100U);
  EXPECT_EQ(file.sequence(), 2U);
  EXPECT_TRUE(HasPattern(file.bytes()));
}

TEST_F(GrowableFileTest, ResizeGivesZeros) {
  GrowableFile file = Open({.first_capacity = kPage});
  ASSERT_TRUE(file.append(Pattern(3000)).ok());
  ASSERT_FALSE(file.resize(1000));
  ASSERT_FALSE(file.resize(9000));
  EXPECT_TRUE(HasPattern(file.bytes().first(1000)));
  for (size_t i = 1000; i < 9000; ++i) ASSERT_EQ(file.data()[i], std::byte{0}) << i;
  file.uncommitted()[8999] = std::byte{1};
  ASSERT_FALSE(file.resize(8999));
  ASSERT_FALSE(file.resize(9001));
  EXPECT_EQ(file.data()[8999], std::byte{0});
}

TEST_F(GrowableFileTest, CommittedBytesAreNotOverwritten) {
  GrowableFile file = Open();
  ASSERT_TRUE(file.append(Pattern(1000)).ok());
  ASSERT_FALSE(file.commit());
  ASSERT_FALSE(file.resize(500));
  EXPECT_TRUE(file.uncommitted().empty());
  EXPECT_EQ(file.append(Pattern(1)).error(), MapError::kCommitFirst);
  EXPECT_EQ(file.resize(501), MapError::kCommitFirst);
  EXPECT_FALSE(file.resize(400));
  ASSERT_FALSE(file.commit());
  EXPECT_EQ(*file.append(Pattern(10)), 400U);
}

TEST_F(GrowableFileTest, Root) {
  const std::vector<std::byte> root = Pattern(64), shorter = Pattern(3);
  {
    GrowableFile file = Open();
    EXPECT_EQ(file.root()[0], std::byte{0});
    EXPECT_FALSE(file.set_root(root));
    EXPECT_EQ(file.set_root(Pattern(65)), MapError::kOutOfRange);
    EXPECT_FALSE(file.commit());
    EXPECT_FALSE(file.set_root(shorter));
  }
  GrowableFile file = Open();
  EXPECT_TRUE(HasPattern(file.root()));
  EXPECT_FALSE(file.set_root(shorter));
  EXPECT_EQ(file.root()[3], std::byte{0});
}

TEST_F(GrowableFileTest, OneWriterManyReaders) {
  EXPECT_EQ(GrowableFile::open(path_, {.write = false}).error(),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(GrowableFile::open(path_, {.create = false}).error(),
            std::errc::no_such_file_or_directory);
  GrowableFile writer = Open({.first_capacity = kPage});
  EXPECT_EQ(GrowableFile::open(path_).error(), MapError::kInUse);
  GrowableFile reader = Open({.write = false});
  const std::byte* const data = reader.data();
  EXPECT_EQ(reader.size(), 0U);
  EXPECT_EQ(reader.append(Pattern(1)).error(), MapError::kNotWritable);
  EXPECT_EQ(reader.resize(1), MapError::kNotWritable);
  EXPECT_EQ(reader.commit(), MapError::kNotWritable);
  EXPECT_EQ(reader.set_root({}), MapError::kNotWritable);
  EXPECT_TRUE(reader.uncommitted().empty());
  for (uint64_t n = 1; n <= 10; ++n) {
    ASSERT_TRUE(writer.append(Pattern(10000, (n - 1) * 10000)).ok());
    ASSERT_FALSE(reader.refresh());
    EXPECT_EQ(reader.size(), (n - 1) * 10000) << "not committed yet";
    ASSERT_FALSE(writer.commit());
    ASSERT_FALSE(reader.refresh());
    EXPECT_EQ(reader.size(), n * 10000);
    EXPECT_EQ(reader.data(), data);
    EXPECT_TRUE(HasPattern(reader.bytes()));
  }
  EXPECT_FALSE(writer.close());
  EXPECT_FALSE(reader.refresh());
  EXPECT_TRUE(HasPattern(reader.bytes()));
  GrowableFile next = Open();
  EXPECT_EQ(next.size(), 100000U);
}

TEST_F(GrowableFileTest, ReadersOfOneProcessGoOnWhileItGrows) {
  GrowableFile file = Open({.first_capacity = kPage});
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      uint64_t before = 0;
      while (!stop) {
        const std::span<const std::byte> bytes = file.bytes();
        if (bytes.size() < before) ++wrong;
        before = bytes.size();
        if (bytes.empty()) continue;
        const size_t last = bytes.size() - 1;
        if (bytes[last] != PatternAt(last) || bytes[last / 2] != PatternAt(last / 2)) ++wrong;
        ++reads;
      }
    });
  }
  while (reads < 1000 || file.size() < (8 << 20)) {
    ASSERT_TRUE(file.append(Pattern(50001, file.size())).ok());
    if (file.size() > (64 << 20)) break;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(reads, 0U);
}

TEST_F(GrowableFileTest, ReservationIsTheLimit) {
  GrowableFile file = Open({.reserve = 10 * kPage, .first_capacity = kPage});
  ASSERT_TRUE(file.append(Pattern(9 * kPage)).ok());
  EXPECT_EQ(file.append(Pattern(2 * kPage)).error(), MapError::kReservationFull);
  EXPECT_EQ(file.resize(1 << 20), MapError::kReservationFull);
  EXPECT_EQ(file.resize(UINT64_MAX), MapError::kReservationFull);
  EXPECT_EQ(file.size(), 9 * kPage);
  ASSERT_TRUE(file.append(Pattern(kPage, 9 * kPage)).ok());
  EXPECT_TRUE(HasPattern(file.bytes()));
  ASSERT_FALSE(file.commit());
  ASSERT_FALSE(file.close());
  EXPECT_EQ(GrowableFile::open(path_, {.reserve = 5 * kPage}).error(), MapError::kReservationFull);
  EXPECT_EQ(GrowableFile::open(path_, {.reserve = UINT64_MAX}).error(),
            std::errc::invalid_argument);
}

TEST_F(GrowableFileTest, InTheArena) {
  GrowableFile file = Open({.first_capacity = kPage});
  ASSERT_TRUE(file.append(Pattern(100000)).ok());
  prairie_stats stats;
  ASSERT_EQ(prairie_get_stats(&stats, sizeof stats), 0);
  ASSERT_EQ(prairie_owns(file.data()), stats.reserved_bytes != 0 ? 1 : 0);
  // An arena that reserves no addresses has none to give.
  if (stats.reserved_bytes == 0) return;
  const std::byte* const base = file.data() - kHeaderBytes;
  EXPECT_EQ(prairie_base_of(file.data() + 99999), base);
  EXPECT_STREQ(prairie_name_of(file.data()), path_.c_str());
  EXPECT_EQ(prairie_base_of(base + prairie_size_of(base)), nullptr)
      << "reserved, and not there yet";
  EXPECT_EQ(prairie_size_of(base), kHeaderBytes + file.capacity());
}

TEST_F(GrowableFileTest, MappingHandle) {
  GrowableFile file = Open();
  ASSERT_TRUE(file.append(Pattern(10000)).ok());
  Mapping mapping = *file.mapping();
  EXPECT_EQ(mapping.size(), 10000U);
  EXPECT_TRUE(mapping.mutable_bytes().empty());
  EXPECT_EQ(mapping.residency()->pages, 3U);
  ASSERT_FALSE(file.commit());
  ASSERT_FALSE(file.close());
  EXPECT_TRUE(HasPattern(mapping.bytes())) << "the handle keeps it";
  EXPECT_FALSE(mapping.close());
}

TEST_F(GrowableFileTest, Closed) {
  GrowableFile file = Open();
  EXPECT_FALSE(file.close());
  EXPECT_EQ(file.close(), MapError::kClosed);
  EXPECT_EQ(file.append(Pattern(1)).error(), MapError::kClosed);
  EXPECT_EQ(file.resize(0), MapError::kClosed);
  EXPECT_EQ(file.commit(), MapError::kClosed);
  EXPECT_EQ(file.refresh(), MapError::kClosed);
  EXPECT_EQ(file.set_root({}), MapError::kClosed);
  EXPECT_EQ(file.mapping().error(), MapError::kClosed);
  EXPECT_EQ(file.size() + file.capacity() + file.committed_size() + file.sequence(), 0U);
  EXPECT_EQ(file.root()[0], std::byte{0});
}

// --- What is not a growable file, or no more.

TEST_F(GrowableFileTest, OtherFiles) {
  for (const size_t size : {size_t{1}, size_t{100}, kHeaderBytes, size_t{100000}}) {
    TemporaryFile other(size);
    EXPECT_EQ(GrowableFile::open(other.path()).error(), MapError::kNotGrowable) << size;
    EXPECT_TRUE(HasPattern(other.Contents())) << "nothing is lost";
    EXPECT_EQ(GrowableFile::open(other.path(), {.write = false}).error(), MapError::kNotGrowable);
  }
  EXPECT_EQ(GrowableFile::open(testing::TempDir()).error(), MapError::kNotMappable);
  EXPECT_EQ(GrowableFile::open(testing::TempDir(), {.write = false}).error(),
            MapError::kNotMappable);
  EXPECT_EQ(GrowableFile::open("/dev/null").error(), MapError::kNotMappable);
  // Only zeros, but more than a creation leaves: somebody's file.
  TemporaryFile zeros(0);
  zeros.Truncate(kHeaderBytes + 1);
  EXPECT_EQ(GrowableFile::open(zeros.path()).error(), MapError::kNotGrowable);
  zeros.Truncate(kHeaderBytes);
  EXPECT_TRUE(GrowableFile::open(zeros.path()).ok()) << "a creation that was cut short";
}

TEST_F(GrowableFileTest, CutFile) {
  {
    GrowableFile file = Open();
    ASSERT_TRUE(file.append(Pattern(100000)).ok());
    ASSERT_FALSE(file.commit());
  }
  ASSERT_EQ(truncate(path_.c_str(), 50000), 0);
  EXPECT_EQ(GrowableFile::open(path_).error(), MapError::kTruncated);
  EXPECT_EQ(GrowableFile::open(path_, {.write = false}).error(), MapError::kTruncated);
  ASSERT_EQ(truncate(path_.c_str(), 5000), 0);
  EXPECT_EQ(GrowableFile::open(path_).error(), MapError::kTruncated);
}

// A store would fault there, and a write would silently make it long again.
TEST_F(GrowableFileTest, CutWhileItIsOpen) {
  for (const size_t size : {100, 5000}) {
    unlink(path_.c_str());
    GrowableFile file = Open();
    ASSERT_TRUE(file.append(Pattern(20000)).ok());
    ASSERT_EQ(truncate(path_.c_str(), 0), 0);
    EXPECT_EQ(file.append(Pattern(size)).error(), MapError::kTruncated);
    EXPECT_EQ(file.size(), 20000u);
  }
}

TEST_F(GrowableFileTest, DamagedHeaders) {
  {
    GrowableFile file = Open();
    ASSERT_TRUE(file.append(Pattern(1000)).ok());
    ASSERT_FALSE(file.commit());  // 2, in the first slot
    ASSERT_TRUE(file.append(Pattern(1000, 1000)).ok());
    ASSERT_FALSE(file.commit());  // 3, in the second
  }
  const auto flip = [&](off_t at) {
    const int fd = open(path_.c_str(), O_RDWR);
    char byte;
    EXPECT_EQ(pread(fd, &byte, 1, at), 1);
    byte = static_cast<char>(~byte);
    EXPECT_EQ(pwrite(fd, &byte, 1, at), 1);
    close(fd);
  };
  for (off_t at = 0; at < 104; ++at) {
    flip(static_cast<off_t>(kSlotBytes) + at);
    const Result<GrowableFile> file = GrowableFile::open(path_, {.write = false});
    ASSERT_TRUE(file.ok()) << at;
    EXPECT_EQ(file->size(), 1000U) << "the commit before it";
    flip(static_cast<off_t>(kSlotBytes) + at);
  }
  EXPECT_EQ(Open().size(), 2000U);
  flip(20), flip(static_cast<off_t>(kSlotBytes) + 20);
  EXPECT_EQ(GrowableFile::open(path_).error(), MapError::kNotGrowable);
}

TEST_F(GrowableFileTest, NewerVersion) {
  Open();
  FileHeader header;
  header.version = kHeaderVersion + 1;
  header.sequence = 2;
  int fd = open(path_.c_str(), O_RDWR);
  ASSERT_EQ(WriteHeader(SystemFiles(), fd, header), 0);
  close(fd);
  EXPECT_EQ(GrowableFile::open(path_).error(), MapError::kWrongVersion);
}

// --- Errors of the system.

TEST_F(GrowableFileTest, FullDisk) {
  const std::string directory = TemporaryPath("full");
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  if (mount("none", directory.c_str(), "tmpfs", 0, "size=256k,huge=never") != 0) {
    rmdir(directory.c_str());
    GTEST_SKIP() << "mounting needs root";
  }
  const std::string path = directory + "/file";
  EXPECT_EQ(GrowableFile::open(path).error(), std::errc::no_space_on_device) << "1 MiB at first";
  {
    Result<GrowableFile> file = GrowableFile::open(path, {.first_capacity = kPage});
    ASSERT_TRUE(file.ok()) << file.error().message();
    Result<uint64_t> at = uint64_t{0};
    while ((at = file->append(Pattern(5000, file->size()))).ok()) ASSERT_LT(*at, 300000U);
    EXPECT_EQ(at.error(), std::errc::no_space_on_device);
    EXPECT_GT(file->size(), 220000U) << "the last blocks are used, though not all that were wished";
    EXPECT_TRUE(HasPattern(file->bytes()));
    EXPECT_FALSE(file->commit()) << "what fitted can be committed";
    EXPECT_EQ(file->append(Pattern(50000)).error(), std::errc::no_space_on_device);
  }
  const Result<GrowableFile> again = GrowableFile::open(path, {.write = false});
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(HasPattern(again->bytes()));
  EXPECT_EQ(umount2(directory.c_str(), MNT_DETACH), 0);
  rmdir(directory.c_str());
}

// Fails each call in turn while a file is made, filled, committed and closed.
TEST_F(GrowableFileTest, EachCall) {
  int n = 1;
  for (bool failed = true; failed; ++n) {
    unlink(path_.c_str());
    FailingFiles files;
    files.FailNth(n, EIO);
    bool committed = false;
    std::error_code error;
    {
      Result<GrowableFile> file = GrowableInternals::Open(
          files, path_, {.first_capacity = kPage, .in_arena = false}, kHere);
      error = file.error();
      if (file.ok()) {
        const Result<uint64_t> at = file->append(Pattern(20000));
        error = at.error();
        if (at.ok()) {
          EXPECT_TRUE(HasPattern(file->bytes()));
          error = file->commit();
          committed = !error;
          if (error) {
            EXPECT_EQ(file->commit(), MapError::kBroken);
            EXPECT_EQ(file->append(Pattern(1)).error(), MapError::kBroken);
            EXPECT_EQ(file->resize(0), MapError::kBroken);
          }
        } else {
          EXPECT_EQ(file->size(), 0U) << "nothing has changed";
        }
        const std::error_code closed = file->close();
        if (!error) error = closed;
      }
    }
    failed = files.failed();
    EXPECT_EQ(files.open_descriptors(), 0) << n;
    // A smaller step of growth may have succeeded where a larger one failed.
    EXPECT_TRUE(!failed || error || committed) << n;
    if (access(path_.c_str(), F_OK) == 0) {
      const Result<GrowableFile> file = GrowableFile::open(path_);
      ASSERT_TRUE(file.ok()) << n << " " << file.error().message();
      EXPECT_TRUE(file->size() == 20000 || (file->size() == 0 && !committed)) << n;
    }
  }
  EXPECT_GT(n, 15);
}

}  // namespace
}  // namespace prairie
