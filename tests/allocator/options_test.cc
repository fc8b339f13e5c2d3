// PRAIRIE_OPTIONS: every key and value, the exact warnings, and the list of keys.
#include "allocator/base/options.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/support/libc_calls.h"

namespace prairie {
namespace {

struct Parsed {
  Options options;
  int warnings;
  std::string text;  // on stderr
};

Parsed Parse(const char* text, Options start = {}) {
  Parsed parsed = {start, 0, {}};
  testing::internal::CaptureStderr();
  parsed.warnings = parsed.options.Parse(text);
  parsed.text = testing::internal::GetCapturedStderr();
  return parsed;
}

Options ParseWell(const char* text, Options start = {}) {
  const Parsed parsed = Parse(text, start);
  EXPECT_EQ(parsed.warnings, 0) << text;
  EXPECT_EQ(parsed.text, "") << text;
  return parsed.options;
}

TEST(OptionsTest, Defaults) {
  const Options options;
  EXPECT_TRUE(options.abort_on_error);
  EXPECT_TRUE(options.report_foreign);
  EXPECT_FALSE(options.stats_at_exit);
  EXPECT_FALSE(options.verbose);
  EXPECT_FALSE(options.force_unreserved);
  EXPECT_EQ(options.huge_pages, HugePages::kAuto);
  EXPECT_EQ(options.limit, 0U);
}

TEST(OptionsTest, EveryKeyAndValue) {
  Options other;
  other.abort_on_error = false;
  other.report_foreign = false;
  other.stats_at_exit = other.verbose = other.force_unreserved = true;
  other.huge_pages = HugePages::kNever;

  EXPECT_FALSE(ParseWell("on_error=report").abort_on_error);
  EXPECT_TRUE(ParseWell("on_error=abort", other).abort_on_error);
  EXPECT_FALSE(ParseWell("foreign=ignore").report_foreign);
  EXPECT_TRUE(ParseWell("foreign=report", other).report_foreign);
  EXPECT_TRUE(ParseWell("stats=1").stats_at_exit);
  EXPECT_FALSE(ParseWell("stats=0", other).stats_at_exit);
  EXPECT_TRUE(ParseWell("verbose=1").verbose);
  EXPECT_FALSE(ParseWell("verbose=0", other).verbose);
  EXPECT_TRUE(ParseWell("arena=unreserved").force_unreserved);
  EXPECT_FALSE(ParseWell("arena=auto", other).force_unreserved);
  EXPECT_FALSE(ParseWell("").background);
  EXPECT_TRUE(ParseWell("background=1").background);
  EXPECT_EQ(ParseWell("thp=always").huge_pages, HugePages::kAlways);
  EXPECT_EQ(ParseWell("thp=never").huge_pages, HugePages::kNever);
  EXPECT_EQ(ParseWell("thp=auto", other).huge_pages, HugePages::kAuto);
}

TEST(OptionsTest, SizesAreBytesOrHaveAUnit) {
  EXPECT_EQ(ParseWell("limit=0").limit, 0U);
  EXPECT_EQ(ParseWell("limit=1").limit, 1U);
  EXPECT_EQ(ParseWell("limit=007").limit, 7U);
  EXPECT_EQ(ParseWell("limit=123456789").limit, 123456789U);
  EXPECT_EQ(ParseWell("limit=3K").limit, 3U << 10);
  EXPECT_EQ(ParseWell("limit=256M").limit, 256U << 20);
  EXPECT_EQ(ParseWell("limit=256m,limit=2g").limit, size_t{2} << 30);
  EXPECT_EQ(ParseWell("limit=5k").limit, 5U << 10);
  const std::string most = std::to_string(SIZE_MAX);
  EXPECT_EQ(ParseWell(("limit=" + most).c_str()).limit, SIZE_MAX);
  const std::string gigabytes = std::to_string(SIZE_MAX >> 30) + "G";
  EXPECT_EQ(ParseWell(("limit=" + gigabytes).c_str()).limit, SIZE_MAX - (size_t{1} << 30) + 1);
}

TEST(OptionsTest, BadSizesAreOneLineAndChangeNothing) {
  Options start;
  start.limit = 42;
  for (const char* value : {"", "-1", "+1", "1.5G", "1T", "M", "1MB", "1 M", "0x10", "1M ", " 1",
                            "18446744073709551616", "17179869184G", "99999999999999999999999"}) {
    const Parsed parsed = Parse((std::string("limit=") + value).c_str(), start);
    EXPECT_EQ(parsed.warnings, 1) << value;
    EXPECT_EQ(parsed.options.limit, 42U) << value;
    EXPECT_EQ(parsed.text, std::string("prairie: warning: PRAIRIE_OPTIONS: bad value '") + value +
                               "' for key 'limit' (expected SIZE: bytes, or a number with K, M or "
                               "G)\n");
  }
}

TEST(OptionsTest, ManyAtOnceTheLastOneWins) {
  const Options options = ParseWell("verbose=1,stats=1,thp=never,verbose=0");
  EXPECT_FALSE(options.verbose);
  EXPECT_TRUE(options.stats_at_exit);
  EXPECT_EQ(options.huge_pages, HugePages::kNever);
}

TEST(OptionsTest, NothingAndEmptyItemsAreNoMistake) {
  for (const char* text : {"", ",", ",,,", "verbose=0,", ",verbose=0,,"}) ParseWell(text);
  ParseWell(nullptr);
}

TEST(OptionsTest, AnUnknownKeyIsOneLine) {
  const Parsed parsed = Parse("colour=red");
  EXPECT_EQ(parsed.warnings, 1);
  EXPECT_EQ(parsed.text,
            "prairie: warning: PRAIRIE_OPTIONS: unknown key 'colour' (help=1 lists them)\n");
}

TEST(OptionsTest, ABadValueIsOneLineThatNamesTheGoodOnes) {
  EXPECT_EQ(Parse("on_error=explode").text,
            "prairie: warning: PRAIRIE_OPTIONS: bad value 'explode' for key 'on_error' "
            "(expected abort|report)\n");
  EXPECT_EQ(Parse("thp=2").text,
            "prairie: warning: PRAIRIE_OPTIONS: bad value '2' for key 'thp' "
            "(expected auto|always|never)\n");
}

TEST(OptionsTest, BadValuesChangeNothing) {
  for (const char* text : {"verbose", "verbose=", "verbose=10", "verbose=1 ", "verbose==1",
                           "stats=yes", "on_error=repor", "on_error=reports", "foreign=Ignore"}) {
    const Parsed parsed = Parse(text);
    EXPECT_EQ(parsed.warnings, 1) << text;
    EXPECT_EQ(std::count(parsed.text.begin(), parsed.text.end(), '\n'), 1) << parsed.text;
    EXPECT_TRUE(parsed.options.abort_on_error) << text;
    EXPECT_TRUE(parsed.options.report_foreign) << text;
    EXPECT_FALSE(parsed.options.verbose) << text;
    EXPECT_FALSE(parsed.options.stats_at_exit) << text;
  }
}

TEST(OptionsTest, GoodItemsNextToBadOnesCount) {
  const Parsed parsed = Parse("nonsense,verbose=1,thp=maybe,stats=1,=,x=");
  EXPECT_EQ(parsed.warnings, 4);
  EXPECT_TRUE(parsed.options.verbose);
  EXPECT_TRUE(parsed.options.stats_at_exit);
  EXPECT_EQ(parsed.options.huge_pages, HugePages::kAuto);
}

TEST(OptionsTest, AnEndlessKeyIsCutNotOverrun) {
  const std::string key(100000, 'k');
  const Parsed parsed = Parse((key + ",verbose=1").c_str());
  EXPECT_EQ(parsed.warnings, 1);
  EXPECT_LE(parsed.text.size(), 501U);
  EXPECT_TRUE(parsed.options.verbose);
}

TEST(OptionsTest, HelpListsEveryKeyWithItsValues) {
  const Parsed parsed = Parse("help=1");
  EXPECT_EQ(parsed.warnings, 0);
  for (const char* item : {"on_error=abort|report", "foreign=report|ignore", "stats=0|1",
                           "verbose=0|1", "background=0|1", "arena=auto|unreserved",
                           "thp=auto|always|never", "limit=SIZE", "help=0|1"}) {
    EXPECT_NE(parsed.text.find(item), std::string::npos) << item << " in\n" << parsed.text;
  }
  EXPECT_EQ(parsed.text.find("prairie: "), 0U);
  EXPECT_EQ(Parse("help=0").text, "");
}

TEST(OptionsTest, ABadValueOfHelpIsOneLine) {
  for (const std::string value : {"no", "2", "", "11"}) {
    const Parsed parsed = Parse(("help=" + value).c_str());
    EXPECT_EQ(parsed.warnings, 1);
    EXPECT_EQ(parsed.text, "prairie: warning: PRAIRIE_OPTIONS: bad value '" + value +
                               "' for key 'help' (expected 0|1)\n");
  }
}

TEST(OptionsTest, ControlBytesAreNotPrinted) {
  EXPECT_EQ(Parse("a\x1b[31m\nb\x7f=1").text,
            "prairie: warning: PRAIRIE_OPTIONS: unknown key 'a?[31m?b?' (help=1 lists them)\n");
  EXPECT_EQ(Parse("stats=\x01\r\xc3\xa4").text,
            "prairie: warning: PRAIRIE_OPTIONS: bad value '??\xc3\xa4' for key 'stats' "
            "(expected 0|1)\n");
}

TEST(OptionsTest, ParsingAllocatesNothing) {
  if (!CanCountLibcAllocations()) GTEST_SKIP() << "a sanitizer has replaced malloc";
  testing::internal::CaptureStderr();
  Options options;
  const size_t before = LibcAllocations();
  options.Parse("verbose=1,thp=never,x=y,on_error=z,help=1");
  const size_t after = LibcAllocations();
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(after, before);
}

TEST(OptionsTest, TheEnvironmentIsReadWithAndWithoutLibcsHelp) {
  ASSERT_EQ(setenv("PRAIRIE_TEST_VARIABLE", "value", 1), 0);
  ASSERT_EQ(setenv("PRAIRIE_TEST_VARIABLE_2", "other", 1), 0);
  EXPECT_STREQ(EarlyEnvironment("PRAIRIE_TEST_VARIABLE"), "value");
  EXPECT_STREQ(EarlyEnvironment("PRAIRIE_TEST_VARIABLE_2"), "other");
  EXPECT_EQ(EarlyEnvironment("PRAIRIE_TEST_VARIABL"), nullptr);
  ASSERT_EQ(setenv("PRAIRIE_TEST_VARIABLE", "", 1), 0);
  EXPECT_STREQ(EarlyEnvironment("PRAIRIE_TEST_VARIABLE"), "");

  // Before libc is set up there is only what the kernel put on the stack.
  const char* const path = getenv("PATH");
  ASSERT_NE(path, nullptr) << "the test needs a variable that the process was started with";
  char** const saved = environ;
  environ = nullptr;
  const char* const early = EarlyEnvironment("PATH");
  const char* const late = EarlyEnvironment("PRAIRIE_TEST_VARIABLE_2");
  environ = saved;
  EXPECT_STREQ(early, path);
  EXPECT_EQ(late, nullptr);
}

}  // namespace
}  // namespace prairie
