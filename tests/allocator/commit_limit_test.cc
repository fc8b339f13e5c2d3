// The arithmetic of the heap's own limit: what is refused, how far a commit may grow, and when the
// soft bound speaks.
#include "allocator/page_heap/commit_limit.h"

#include <gtest/gtest.h>

namespace prairie {
namespace {

TEST(CommitLimitTest, NoneRefusesNothing) {
  CommitLimit limit;
  EXPECT_FALSE(limit.IsSet());
  EXPECT_TRUE(limit.Allows(SIZE_MAX, SIZE_MAX));
  EXPECT_EQ(limit.Spare(SIZE_MAX), SIZE_MAX);
  limit.Note(SIZE_MAX);
  EXPECT_FALSE(limit.pressure());
  EXPECT_EQ(limit.refusals(), 0U);
}

TEST(CommitLimitTest, TheHardBoundIsReachedAndNotPassed) {
  CommitLimit limit;
  limit.Set({0, 1000});
  EXPECT_TRUE(limit.IsSet());
  EXPECT_TRUE(limit.Allows(900, 100));
  EXPECT_EQ(limit.refusals(), 0U);
  EXPECT_FALSE(limit.Allows(900, 101));
  EXPECT_FALSE(limit.Allows(900, SIZE_MAX)) << "the sum must not overflow";
  EXPECT_EQ(limit.refusals(), 2U);
  EXPECT_TRUE(limit.Allows(2000, 0)) << "above it already, but nothing more is wanted";
  EXPECT_FALSE(limit.Allows(2000, 1));
  limit.Note(5000);
  EXPECT_FALSE(limit.pressure()) << "there is no soft one";
}

TEST(CommitLimitTest, WhatIsSpareCrossesNeitherBound) {
  CommitLimit limit;
  limit.Set({500, 1000});
  EXPECT_EQ(limit.Spare(100), 400U);
  EXPECT_EQ(limit.Spare(500), 0U);
  EXPECT_EQ(limit.Spare(501), 499U) << "beyond the soft one the hard one counts";
  EXPECT_EQ(limit.Spare(1000), 0U);
  EXPECT_EQ(limit.Spare(1001), 0U);
  limit.Set({500, 0});
  EXPECT_EQ(limit.Spare(501), SIZE_MAX);
  limit.Set({0, 1000});
  EXPECT_EQ(limit.Spare(100), 900U);
}

TEST(CommitLimitTest, CrossingTheSoftBoundIsToldOnce) {
  CommitLimit limit;
  limit.Set({1600, 0});
  limit.Note(1600);
  EXPECT_FALSE(limit.pressure()) << "not beyond it";
  limit.Note(1601);
  EXPECT_TRUE(limit.pressure());
  EXPECT_TRUE(limit.TakePressure());
  EXPECT_FALSE(limit.TakePressure());
  EXPECT_FALSE(limit.pressure());
  for (const size_t used : {3000, 1500, 3000}) limit.Note(used);
  EXPECT_FALSE(limit.pressure()) << "it has not fallen by a 16th";
  limit.Note(1499);
  EXPECT_FALSE(limit.pressure());
  limit.Note(1601);
  EXPECT_TRUE(limit.TakePressure());
}

TEST(CommitLimitTest, ACrossingThatCameToNothingIsForgotten) {
  CommitLimit limit;
  limit.Set({1600, 0});
  limit.Note(1700);
  ASSERT_TRUE(limit.TakePressure());
  EXPECT_FALSE(limit.RearmIfRelieved(1601));
  limit.Note(1700);
  EXPECT_FALSE(limit.pressure());
  EXPECT_TRUE(limit.RearmIfRelieved(1600));
  limit.Note(1700);
  EXPECT_TRUE(limit.pressure());
  limit.Set({});
  EXPECT_FALSE(limit.pressure());
  EXPECT_TRUE(limit.RearmIfRelieved(1700));
}

TEST(CommitLimitTest, ANewLimitStartsAfresh) {
  CommitLimit limit;
  limit.Set({100, 0});
  limit.Note(200);
  EXPECT_TRUE(limit.TakePressure());
  limit.Set({150, 0});
  limit.Note(200);
  EXPECT_TRUE(limit.TakePressure());
  EXPECT_EQ(limit.bounds().soft, 150U);
  EXPECT_EQ(limit.bounds().hard, 0U);
}

}  // namespace
}  // namespace prairie
