// What the kernel says of a process whose main thread has ended.
#include "allocator/os/process.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <thread>

#include "tests/support/fake_root.h"

namespace prairie {
namespace {

class ProcessTest : public testing::Test {
 protected:
  bool IsOneLeft(const std::string& text) {
    root_.Write("/stat", text);
    return IsOneThreadLeft((std::string(root_.path()) + "/stat").c_str());
  }
  FakeRoot root_;
};

std::string Stat(const std::string& name, const std::string& state, const std::string& threads) {
  return "4711 (" + name + ") " + state + " 1 4711 4711 34816 4711 4194304 99 0 0 0 0 0 0 0 20 0 " +
         threads + " 0 12345 1000000 100 18446744073709551615\n";
}

TEST_F(ProcessTest, TheMainThreadIsAZombieAndOneOtherThere) {
  EXPECT_TRUE(IsOneLeft(Stat("program", "Z", "2")));
  EXPECT_FALSE(IsOneLeft(Stat("program", "Z", "3"))) << "two others";
  EXPECT_FALSE(IsOneLeft(Stat("program", "Z", "20"))) << "nineteen";
  EXPECT_FALSE(IsOneLeft(Stat("program", "S", "2"))) << "the main thread sleeps";
  EXPECT_FALSE(IsOneLeft(Stat("program", "R", "1")));
}

TEST_F(ProcessTest, ANameMayContainAnything) {
  EXPECT_TRUE(IsOneLeft(Stat("a b) S 1 (c", "Z", "2")));
  EXPECT_FALSE(IsOneLeft(Stat("a) Z 2 2 2", "S", "2")));
}

TEST_F(ProcessTest, WhatCannotBeReadSaysNo) {
  EXPECT_FALSE(IsOneLeft(""));
  EXPECT_FALSE(IsOneLeft("4711 (program) Z 1 2 3\n"));
  EXPECT_FALSE(IsOneLeft("4711 program Z\n"));
  errno = EDOM;
  EXPECT_FALSE(IsOneThreadLeft("/no/such/file"));
  EXPECT_EQ(errno, EDOM);
}

TEST_F(ProcessTest, OfThisOneTheMainThreadLives) { EXPECT_FALSE(IsOneThreadLeft()); }

TEST(SingleThreadTest, OneThreadIsOneUntilThereIsAnother) {
  if (!IsSingleThreaded()) GTEST_SKIP() << "the C library does not say, or something has threads";
  std::thread([] { EXPECT_FALSE(IsSingleThreaded()); }).join();
}

TEST(StreamsTest, TheirListIsLockedAgainAndAgain) {
  LockStreams();
  LockStreams();
  EXPECT_EQ(fflush(nullptr), 0) << "by who has the lock";
  UnlockStreams();
  UnlockStreams();
  std::thread([] { EXPECT_EQ(fflush(nullptr), 0) << "it is free again"; }).join();
}

}  // namespace
}  // namespace prairie
