// Reports: how values are written, where a line is cut, and that nothing else happens.
#include "allocator/base/report.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/support/libc_calls.h"

namespace prairie {
namespace {

std::string Decimal(uint64_t value) { return Report().Decimal(value).text(); }
std::string Hex(uint64_t value) { return Report().Hex(value).text(); }
std::string Bytes(uint64_t value) { return Report().Bytes(value).text(); }

TEST(ReportTest, DecimalOfAnyValue) {
  EXPECT_EQ(Decimal(0), "0");
  EXPECT_EQ(Decimal(9), "9");
  EXPECT_EQ(Decimal(10), "10");
  EXPECT_EQ(Decimal(UINT64_MAX), "18446744073709551615");
}

TEST(ReportTest, HexWithoutLeadingZeros) {
  EXPECT_EQ(Hex(0), "0x0");
  EXPECT_EQ(Hex(0xf800000000), "0xf800000000");
  EXPECT_EQ(Hex(UINT64_MAX), "0xffffffffffffffff");
}

TEST(ReportTest, BytesInTheUnitThatFits) {
  EXPECT_EQ(Bytes(0), "0 B");
  EXPECT_EQ(Bytes(512), "512 B");
  EXPECT_EQ(Bytes(1023), "1023 B");
  EXPECT_EQ(Bytes(1024), "1 KiB");
  EXPECT_EQ(Bytes(1536), "1.5 KiB");
  EXPECT_EQ(Bytes(8192), "8 KiB");
  EXPECT_EQ(Bytes((1 << 20) - 1), "1 MiB");
  EXPECT_EQ(Bytes(3 << 19), "1.5 MiB");
  EXPECT_EQ(Bytes(uint64_t{64} << 30), "64 GiB");
  EXPECT_EQ(Bytes(uint64_t{1} << 40), "1 TiB");
  EXPECT_EQ(Bytes(uint64_t{1} << 60), "1 EiB");
  EXPECT_EQ(Bytes(UINT64_MAX), "18446744073709551615 B");
}

TEST(ReportTest, PiecesFollowEachOther) {
  Report report;
  report.Text("free(").Hex(255).Text("): ").Decimal(3).Text(" pages, or so", 6);
  EXPECT_STREQ(report.text(), "free(0xff): 3 pages");
  EXPECT_EQ(report.length(), 19U);
}

TEST(ReportTest, ALineIsCutAt500Bytes) {
  Report report;
  for (int i = 0; i < 49; ++i) report.Text("0123456789");
  report.Text("abcdefghijklmnop").Decimal(7).Hex(7).Bytes(7);
  EXPECT_EQ(report.length(), 500U);
  EXPECT_EQ(std::string(report.text()).substr(490), "abcdefghij");
  testing::internal::CaptureStderr();
  report.Emit();
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_EQ(line.size(), 501U);
  EXPECT_EQ(line.back(), '\n');
  // And what was collected can still be read.
  EXPECT_EQ(std::string(report.text(), report.length()).substr(490), "abcdefghij");
}

TEST(ReportTest, EmitWritesOneLineAndKeepsErrno) {
  testing::internal::CaptureStderr();
  errno = EDOM;
  Report().Text("prairie: test ").Decimal(1).Emit();
  EXPECT_EQ(errno, EDOM);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "prairie: test 1\n");
}

TEST(ReportTest, EmitWithoutAStderrReturnsAndKeepsErrno) {
  const int saved = dup(STDERR_FILENO);
  ASSERT_GE(saved, 0);
  close(STDERR_FILENO);
  errno = EDOM;
  Report().Text("to nobody").Emit();
  const int error = errno;
  ASSERT_EQ(dup2(saved, STDERR_FILENO), STDERR_FILENO);
  close(saved);
  EXPECT_EQ(error, EDOM);
}

TEST(ReportTest, NothingIsAllocated) {
  if (!CanCountLibcAllocations()) GTEST_SKIP() << "a sanitizer has replaced malloc";
  testing::internal::CaptureStderr();
  const size_t before = LibcAllocations();
  Report().Text("text").Decimal(UINT64_MAX).Hex(UINT64_MAX).Bytes(12345678).Emit();
  const size_t after = LibcAllocations();
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(after, before);
}

// Otherwise the test above could not fail.
TEST(ReportTest, AnAllocationWouldBeCounted) {
  if (!CanCountLibcAllocations()) GTEST_SKIP() << "a sanitizer has replaced malloc";
  const size_t before = LibcAllocations();
  std::string* volatile text = new std::string(1000, 'x');
  delete text;
  EXPECT_GE(LibcAllocations(), before + 2);
}

TEST(ReportDeathTest, EmitAndAbortWritesThenRaisesSigabrt) {
  EXPECT_EXIT(Report().Text("prairie: the end").EmitAndAbort(), testing::KilledBySignal(SIGABRT),
              "^prairie: the end\n$");
}

}  // namespace
}  // namespace prairie
