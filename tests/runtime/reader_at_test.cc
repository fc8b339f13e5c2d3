// ReaderAt and SectionReader: the table of edge cases, and close against readers.
#include "prairie/reader_at.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr size_t kPage = 4096;

struct Case {
  int64_t offset;
  size_t size;
  size_t count;
  std::error_code error;
};

const std::error_code kNone;
const std::error_code kEof = MapError::kEndOfFile;
const std::error_code kRange = MapError::kOutOfRange;
const std::error_code kClosed = MapError::kClosed;

template <typename Reader>
void Check(const Reader& reader, const std::vector<Case>& cases, uint64_t pattern_offset = 0) {
  for (const Case& c : cases) {
    std::vector<std::byte> buffer(c.size + 1, std::byte{0xee});
    const ReadResult result = reader.read_at({buffer.data(), c.size}, c.offset);
    EXPECT_EQ(result.count, c.count) << c.offset << " " << c.size;
    EXPECT_EQ(result.error, c.error) << c.offset << " " << c.size << result.error.message();
    EXPECT_TRUE(HasPattern({buffer.data(), result.count},
                           pattern_offset + static_cast<uint64_t>(c.offset)));
    EXPECT_EQ(buffer[c.size], std::byte{0xee});
    EXPECT_TRUE(result.count == c.size || result.error) << "fewer bytes, and no reason";
  }
}

TEST(ReaderAtTest, TableOfEdgeCases) {
  TemporaryFile file(100);
  ReaderAt reader = *ReaderAt::open(file.path());
  EXPECT_EQ(reader.size(), 100);
  Check(reader,
        {
            {0, 0, 0, kNone},     {0, 1, 1, kNone},    {0, 100, 100, kNone},   {0, 101, 100, kEof},
            {0, 5000, 100, kEof}, {50, 50, 50, kNone}, {50, 51, 50, kEof},     {99, 1, 1, kNone},
            {99, 2, 1, kEof},     {99, 0, 0, kNone},   {100, 0, 0, kEof},      {100, 1, 0, kEof},
            {101, 1, 0, kEof},    {101, 0, 0, kEof},   {kMost, 1, 0, kEof},    {kMost, 0, 0, kEof},
            {-1, 0, 0, kRange},   {-1, 1, 0, kRange},  {kLeast, 1, 0, kRange},
        });
  EXPECT_FALSE(reader.close());
  EXPECT_FALSE(reader.is_open());
  EXPECT_EQ(reader.size(), 100) << "what it was";
  Check(reader,
        {{0, 0, 0, kClosed}, {0, 1, 0, kClosed}, {-1, 1, 0, kClosed}, {100, 1, 0, kClosed}});
  EXPECT_EQ(reader.close(), MapError::kClosed);
}

TEST(ReaderAtTest, EmptyFile) {
  TemporaryFile file(0);
  ReaderAt reader = *ReaderAt::open(file.path());
  EXPECT_EQ(reader.size(), 0);
  EXPECT_TRUE(reader.is_open());
  Check(reader, {{0, 0, 0, kEof}, {0, 1, 0, kEof}, {-1, 1, 0, kRange}});
  EXPECT_EQ(reader.at(0).error(), kRange);
  EXPECT_FALSE(reader.close());
  EXPECT_EQ(reader.close(), MapError::kClosed);
}

TEST(ReaderAtTest, At) {
  TemporaryFile file(100);
  ReaderAt reader = *ReaderAt::open(file.path());
  EXPECT_EQ(*reader.at(0), PatternAt(0));
  EXPECT_EQ(*reader.at(99), PatternAt(99));
  EXPECT_EQ(reader.at(100).error(), kRange);
  EXPECT_EQ(reader.at(-1).error(), kRange);
  EXPECT_EQ(reader.at(kMost).error(), kRange);
  file.Truncate(50);
  EXPECT_EQ(*reader.at(49), PatternAt(49));
  EXPECT_EQ(reader.at(50).error(), MapError::kTruncated);
  EXPECT_FALSE(reader.close());
  EXPECT_EQ(reader.at(0).error(), kClosed);
}

TEST(ReaderAtTest, NoneAtAll) {
  ReaderAt reader;
  Check(reader, {{0, 1, 0, kClosed}});
  EXPECT_EQ(reader.at(0).error(), kClosed);
  EXPECT_EQ(reader.size(), 0);
  EXPECT_EQ(reader.close(), MapError::kClosed);
  ReaderAt of_nothing{Mapping()};
  EXPECT_FALSE(of_nothing.is_open());
  EXPECT_EQ(of_nothing.close(), MapError::kClosed);
  EXPECT_EQ(ReaderAt::open(TemporaryPath("missing")).error(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(ReaderAt::open(testing::TempDir()).error(), MapError::kNotMappable);
}

TEST(ReaderAtTest, TruncatedFileGivesWhatItHas) {
  TemporaryFile file(10 * kPage);
  const ReaderAt reader = *ReaderAt::open(file.path());
  file.Truncate(3 * kPage + 10);
  const std::error_code cut = MapError::kTruncated;
  Check(reader, {
                    {0, 3 * kPage + 10, 3 * kPage + 10, kNone},
                    {0, 3 * kPage + 11, 3 * kPage + 10, cut},
                    {0, 10 * kPage, 3 * kPage + 10, cut},
                    {3 * kPage + 5, 100, 5, cut},
                    {3 * kPage + 10, 1, 0, cut},
                    {9 * kPage, 2 * kPage, 0, cut},
                    {10 * kPage, 1, 0, kEof},
                });
}

TEST(ReaderAtTest, OfAPart) {
  TemporaryFile file(10 * kPage);
  const ReaderAt reader(*Mapping::map(file.path(), {.offset = 5000, .length = 3000}));
  EXPECT_EQ(reader.size(), 3000);
  Check(reader, {{0, 3000, 3000, kNone}, {2999, 2, 1, kEof}}, 5000);
  file.Truncate(6000);
  Check(reader, {{0, 3000, 1000, MapError::kTruncated}}, 5000);
}

TEST(ReaderAtTest, CopiesAreOneReader) {
  TemporaryFile file(10);
  ReaderAt reader = *ReaderAt::open(file.path());
  ReaderAt copy = reader;
  EXPECT_FALSE(copy.close());
  EXPECT_FALSE(reader.is_open());
  EXPECT_EQ(reader.close(), MapError::kClosed);
}

TEST(SectionReaderTest, TableOfEdgeCases) {
  TemporaryFile file(100);
  ReaderAt reader = *ReaderAt::open(file.path());
  const SectionReader section = *SectionReader::of(reader, 10, 20);
  EXPECT_EQ(section.size(), 20);
  const std::vector<Case> cases = {
      {0, 0, 0, kNone},   {0, 20, 20, kNone},     {0, 21, 20, kEof}, {19, 1, 1, kNone},
      {19, 2, 1, kEof},   {20, 0, 0, kEof},       {20, 1, 0, kEof},  {kMost, 1, 0, kEof},
      {-1, 1, 0, kRange}, {kLeast, 1, 0, kRange},
  };
  Check(section, cases, 10);
  const SectionReader past = *SectionReader::of(reader, 90, 100);
  Check(past, {{0, 10, 10, kNone}, {0, 11, 10, kEof}, {50, 1, 0, kEof}, {100, 1, 0, kEof}}, 90);
  const SectionReader huge = *SectionReader::of(reader, 90, kMost);
  Check(huge, {{0, 11, 10, kEof}, {kMost - 90, 1, 0, kEof}}, 90);
  EXPECT_EQ(SectionReader::of(reader, -1, 1).error(), kRange);
  EXPECT_EQ(SectionReader::of(reader, 1, -1).error(), kRange);
  EXPECT_FALSE(reader.close());
  Check(section, {{0, 1, 0, kClosed}, {-1, 1, 0, kClosed}});
}

TEST(SectionReaderTest, ReadAndSeek) {
  TemporaryFile file(100);
  SectionReader section = *SectionReader::of(*ReaderAt::open(file.path()), 10, 20);
  std::vector<std::byte> buffer(15);
  EXPECT_EQ(section.read(buffer).count, 15U);
  EXPECT_TRUE(HasPattern(buffer, 10));
  ReadResult rest = section.read(buffer);
  EXPECT_EQ(rest.count, 5U);
  EXPECT_FALSE(rest.error);
  rest = section.read(buffer);
  EXPECT_EQ(rest.count, 0U);
  EXPECT_EQ(rest.error, kEof);
  EXPECT_EQ(*section.seek(-5, Whence::kEnd), 15);
  EXPECT_EQ(*section.seek(-5, Whence::kCurrent), 10);
  EXPECT_EQ(*section.seek(3, Whence::kStart), 3);
  EXPECT_EQ(section.read(std::span(buffer).first(1)).count, 1U);
  EXPECT_EQ(buffer[0], PatternAt(13));
  EXPECT_EQ(section.seek(-1, Whence::kStart).error(), kRange);
  EXPECT_EQ(section.seek(kMost, Whence::kCurrent).error(), kRange);
  EXPECT_EQ(*section.seek(0, Whence::kCurrent), 4) << "a failed seek changes nothing";
  EXPECT_EQ(*section.seek(1000, Whence::kStart), 1000);
  EXPECT_EQ(section.read(buffer).error, kEof);
}

// Readers run into a close at any moment: each read has the file's bytes or says that it is closed.
TEST(ReaderAtTest, ConcurrentClose) {
  TemporaryFile file(16 * kPage);
  for (int round = 0; round < 60; ++round) {
    ReaderAt reader = *ReaderAt::open(file.path());
    std::atomic<int> wrong{0}, closed{0}, started{0}, first_to_close{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        std::vector<std::byte> buffer(2 * kPage);
        ++started;
        for (unsigned i = static_cast<unsigned>(t);; ++i) {
          const int64_t offset = (i * 4099) % (14 * kPage);
          const ReadResult result = reader.read_at(buffer, offset);
          if (result.error == kClosed && result.count == 0) break;
          if (result.error || !HasPattern(buffer, static_cast<uint64_t>(offset))) ++wrong;
        }
        ++closed;
        if (!reader.close()) ++first_to_close;
      });
    }
    while (started < 3) std::this_thread::yield();
    if (!reader.close()) ++first_to_close;
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(wrong, 0);
    ASSERT_EQ(closed, 3);
    ASSERT_EQ(first_to_close, 1);
  }
}

}  // namespace
}  // namespace prairie
