// Lines of files of any shape, paths, numbers.
#include "allocator/os/system_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_root.h"

namespace prairie {
namespace {

std::vector<std::string> LinesOf(const std::string& path) {
  std::vector<std::string> lines;
  SystemFile file(path.c_str());
  while (const char* const line = file.NextLine()) lines.emplace_back(line);
  return lines;
}

class SystemFileTest : public testing::Test {
 protected:
  std::vector<std::string> LinesOfText(const std::string& text) {
    root_.Write("/file", text);
    return LinesOf(std::string(root_.path()) + "/file");
  }
  FakeRoot root_;
};

using Lines = std::vector<std::string>;

TEST_F(SystemFileTest, LinesWithAndWithoutALastNewline) {
  EXPECT_EQ(LinesOfText(""), Lines{});
  EXPECT_EQ(LinesOfText("one"), Lines{"one"});
  EXPECT_EQ(LinesOfText("one\n"), Lines{"one"});
  EXPECT_EQ(LinesOfText("\n\n"), (Lines{"", ""}));
  EXPECT_EQ(LinesOfText("one\n\nthree"), (Lines{"one", "", "three"}));
}

TEST_F(SystemFileTest, LinesAcrossTheEndsOfTheBuffer) {
  for (size_t length = 100; length < 700; ++length) {
    const Lines lines = {std::string(length, 'a'), std::string(300, 'b'), "c"};
    const Lines seen = LinesOfText(lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n");
    ASSERT_EQ(seen.size(), 3U) << length;
    ASSERT_EQ(seen[0], lines[0].substr(0, SystemFile::kLongestLine));
    ASSERT_EQ(seen[1], lines[1]);
    ASSERT_EQ(seen[2], lines[2]);
  }
}

TEST_F(SystemFileTest, AnEndlessLineIsCutAndTheNextOneWhole) {
  const Lines seen = LinesOfText(std::string(100000, 'x') + "\nnext\n");
  EXPECT_EQ(seen, (Lines{std::string(SystemFile::kLongestLine, 'x'), "next"}));
}

TEST_F(SystemFileTest, WhatCannotBeReadHasNoLines) {
  EXPECT_EQ(LinesOf(std::string(root_.path()) + "/nothing"), Lines{});
  EXPECT_EQ(LinesOf(root_.path()), Lines{}) << "a folder";
  EXPECT_EQ(LinesOf(""), Lines{});
}

TEST_F(SystemFileTest, ShortReadsAreOneLine) {
  const std::string path = std::string(root_.path()) + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&path] {
    FILE* const file = fopen(path.c_str(), "w");
    for (const char* piece : {"Vm", "Size", ": 1", "2\nnext"}) {
      fputs(piece, file);
      fflush(file);
      usleep(1000);
    }
    fclose(file);
  });
  EXPECT_EQ(LinesOf(path), (Lines{"VmSize: 12", "next"}));
  writer.join();
}

TEST_F(SystemFileTest, NoDescriptorIsLeftOpen) {
  root_.Write("/file", "x");
  const std::string path = std::string(root_.path()) + "/file";
  LinesOf(path);
  const int before = dup(0);
  close(before);
  for (int i = 0; i < 10; ++i) LinesOf(path);
  const int after = dup(0);
  close(after);
  EXPECT_EQ(after, before);
}

TEST(SystemPathTest, PartsAreJoinedAndTooManyAreNoPath) {
  EXPECT_STREQ(SystemPath().Append("/a").Append("/bcd", 2).Append("/c").text(), "/a/b/c");
  EXPECT_STREQ(SystemPath().text(), "");
  const std::string longest(511, 'x');
  EXPECT_EQ(SystemPath().Append(longest.c_str()).text(), longest);
  EXPECT_STREQ(SystemPath().Append(longest.c_str()).Append("y").text(), "");
  EXPECT_STREQ(SystemPath().Append((longest + "y").c_str()).Append("z").text(), "");
}

TEST(ParseDecimalTest, Numbers) {
  uint64_t value = 7;
  EXPECT_TRUE(ParseDecimal("0", &value));
  EXPECT_EQ(value, 0U);
  EXPECT_TRUE(ParseDecimal(" \t 123 kB", &value));
  EXPECT_EQ(value, 123U);
  EXPECT_TRUE(ParseDecimal("18446744073709551615", &value));
  EXPECT_EQ(value, UINT64_MAX);
  for (const char* text : {"", "max", "-1", " ", "18446744073709551616", "x1"}) {
    EXPECT_FALSE(ParseDecimal(text, &value)) << text;
    EXPECT_EQ(value, UINT64_MAX) << "untouched";
  }
}

TEST(AfterPrefixTest, TheRestOrNothing) {
  EXPECT_STREQ(AfterPrefix("VmSize: 1", "VmSize:"), " 1");
  EXPECT_STREQ(AfterPrefix("a", "a"), "");
  EXPECT_EQ(AfterPrefix("VmSiz", "VmSize:"), nullptr);
  EXPECT_EQ(AfterPrefix("xVmSize:", "VmSize:"), nullptr);
}

}  // namespace
}  // namespace prairie
