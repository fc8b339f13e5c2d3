// How often the reason for a failure is looked up, and what stands in the log in between.
#include "allocator/heap/failure_log.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "allocator/base/config.h"

namespace prairie {
namespace {

constexpr MemoryLimit kAsk = MemoryLimit::kNone;  // no reason is known without asking
constexpr LimitFinding kFull = {MemoryLimit::kAddressSpace, 100, 99};

TEST(FailureLogTest, NothingHasFailedYet) {
  FailureLog log;
  EXPECT_EQ(log.last().finding.limit, MemoryLimit::kNone);
  EXPECT_EQ(log.last().count, 0U);
  EXPECT_EQ(log.last().requested, 0U);
}

TEST(FailureLogTest, TheFirstOneIsLookedUpWheneverTheClockBegins) {
  for (const uint64_t now : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
    FailureLog log;
    EXPECT_TRUE(log.Begin(now, 100, kAsk)) << now;
  }
}

TEST(FailureLogTest, OneKindOncePerPeriod) {
  FailureLog log;
  ASSERT_TRUE(log.Begin(1000, 100, kAsk));
  log.Record(kFull, 100, true, 1000);
  for (uint64_t now = 1000; now < 1000 + FailureLog::kPeriodMilliseconds; ++now) {
    ASSERT_FALSE(log.Begin(now, now % 2 == 0 ? 100 : kMaxSmallSize, kAsk)) << now;
    log.RecordAgain(200);
  }
  EXPECT_TRUE(log.Begin(1000 + FailureLog::kPeriodMilliseconds, 100, kAsk));
}

TEST(FailureLogTest, ThePeriodBeginsWhenTheReasonWasFound) {
  FailureLog log;
  ASSERT_TRUE(log.Begin(1000, 100, kAsk));
  log.Record(kFull, 100, true, 1050);
  EXPECT_FALSE(log.Begin(1149, 100, kAsk));
  EXPECT_TRUE(log.Begin(1150, 100, kAsk));
}

TEST(FailureLogTest, AnotherKindIsLookedUpAtOnceButNotForEver) {
  FailureLog log;
  int looked_up = 0;
  for (int i = 0; i < 1000; ++i) {
    for (const size_t size : {size_t{100}, kMiB, 2 * kMiB, kGiB}) {
      if (log.Begin(7, size, kAsk)) ++looked_up;
    }
    if (i == 0) {
      EXPECT_EQ(looked_up, 4) << "small, and three sizes of large ones";
    }
  }
  EXPECT_EQ(looked_up, FailureLog::kMostInPeriod);
}

TEST(FailureLogTest, AnotherReasonIsAnotherKind) {
  FailureLog log;
  EXPECT_TRUE(log.Begin(7, kGiB, kAsk));
  EXPECT_TRUE(log.Begin(7, kGiB, MemoryLimit::kWindow));
  EXPECT_FALSE(log.Begin(7, kGiB, MemoryLimit::kWindow));
  EXPECT_TRUE(log.Begin(7, kGiB, MemoryLimit::kHeapLimit));
}

TEST(FailureLogTest, WhatIsNotLookedUpHasTheReasonOfTheKernelsLastAnswer) {
  FailureLog log;
  log.Begin(7, 100, kAsk);
  log.Record(kFull, 100, true, 7);
  log.Begin(7, kGiB, MemoryLimit::kWindow);
  log.Record({MemoryLimit::kWindow, 5, 4}, kGiB, false, 7);
  EXPECT_EQ(log.last().finding.limit, MemoryLimit::kWindow);
  EXPECT_EQ(log.last().requested, kGiB);
  EXPECT_EQ(log.last().count, 2U);
  log.Begin(7, 300, kAsk);
  log.RecordAgain(300);
  const Failure last = log.last();
  EXPECT_EQ(last.finding.limit, MemoryLimit::kAddressSpace);
  EXPECT_EQ(last.finding.value, 100U);
  EXPECT_EQ(last.finding.used, 99U);
  EXPECT_EQ(last.requested, 300U);
  EXPECT_EQ(last.count, 3U);
}

TEST(FailureLogTest, BeforeTheFirstAnswerTheReasonIsUnknown) {
  FailureLog log;
  log.Begin(7, 100, kAsk);  // Another thread, which is still looking.
  log.Begin(7, 100, kAsk);
  log.RecordAgain(100);
  EXPECT_EQ(log.last().finding.limit, MemoryLimit::kUnknown);
}

}  // namespace
}  // namespace prairie
