// Flat regions: how they grow, and that a failure loses nothing.
#include "allocator/arena/flat_region.h"

#include <gtest/gtest.h>

#include "allocator/base/config.h"
#include "tests/support/fake_memory.h"

namespace prairie {
namespace {

using Call = FakeMemory::Call;
using State = FakeMemory::State;

constexpr uintptr_t kBase = uintptr_t{0x1200} << 28;

class FlatRegionTest : public testing::Test {
 protected:
  FakeMemory os_{FakeMemory::Backing::kNone};
  FlatRegion region_;
};

TEST_F(FlatRegionTest, AClaimMapsNothing) {
  region_.Init(os_, kBase, kMiB);
  EXPECT_EQ(os_.calls(), 0);
  EXPECT_EQ(region_.committed(), 0U);
  EXPECT_TRUE(region_.EnsureBytes(0, 0));
  EXPECT_EQ(os_.calls(), 0);
}

TEST_F(FlatRegionTest, GrowsByWholeOsPagesFromItsLowEnd) {
  region_.Init(os_, kBase, kMiB);
  ASSERT_TRUE(region_.EnsureBytes(1, 0));
  EXPECT_EQ(region_.committed(), 4 * kKiB);
  ASSERT_TRUE(region_.EnsureBytes(4 * kKiB, 0));
  EXPECT_EQ(os_.calls(Call::kMapAt), 1) << "what is there needs no call";
  ASSERT_TRUE(region_.EnsureBytes(4 * kKiB + 1, 0));
  EXPECT_EQ(region_.committed(), 8 * kKiB);
  EXPECT_TRUE(os_.Is(kBase, 8 * kKiB, State::kCommitted));
  EXPECT_EQ(os_.BytesIn(State::kCommitted), 8 * kKiB);
}

TEST_F(FlatRegionTest, TakesSlackAtOnceIfThereIsSome) {
  region_.Init(os_, kBase, kMiB);
  ASSERT_TRUE(region_.EnsureBytes(1, 64 * kKiB));
  EXPECT_EQ(region_.committed(), 68 * kKiB);
  ASSERT_TRUE(region_.EnsureBytes(kMiB - 1, 64 * kKiB));
  EXPECT_EQ(region_.committed(), kMiB) << "never beyond the claim";
}

TEST_F(FlatRegionTest, GivesBackItsEnd) {
  region_.Init(os_, kBase, kMiB);
  ASSERT_TRUE(region_.EnsureBytes(100 * kKiB, 0));
  region_.Trim(200 * kKiB);
  EXPECT_EQ(region_.committed(), 100 * kKiB);
  os_.FailNth(1, Call::kUnmap);
  region_.Trim(5000);
  EXPECT_EQ(region_.committed(), 100 * kKiB) << "it stays";
  region_.Trim(5000);
  EXPECT_EQ(region_.committed(), 8 * kKiB);
  EXPECT_EQ(os_.BytesIn(State::kCommitted), 8 * kKiB);
  ASSERT_TRUE(region_.EnsureBytes(100 * kKiB, 0));
  EXPECT_TRUE(os_.Is(kBase, 100 * kKiB, State::kCommitted));
}

TEST_F(FlatRegionTest, DoesWithoutSlackUnderALimit) {
  os_.set_address_space_limit(8 * kKiB);
  region_.Init(os_, kBase, kMiB);
  ASSERT_TRUE(region_.EnsureBytes(5000, 64 * kKiB));
  EXPECT_EQ(region_.committed(), 8 * kKiB);
}

TEST_F(FlatRegionTest, AFailureLosesNothingAndCanBeRepeated) {
  region_.Init(os_, kBase, kMiB);
  ASSERT_TRUE(region_.EnsureBytes(100, 0));
  os_.set_address_space_limit(8 * kKiB);
  EXPECT_FALSE(region_.EnsureBytes(100 * kKiB, 0));
  EXPECT_EQ(region_.committed(), 4 * kKiB);
  EXPECT_EQ(os_.BytesIn(State::kCommitted), 4 * kKiB);
  os_.set_address_space_limit(SIZE_MAX);
  EXPECT_TRUE(region_.EnsureBytes(100 * kKiB, 0));
  EXPECT_EQ(region_.committed(), 100 * kKiB);
}

TEST_F(FlatRegionTest, AForeignMappingInTheWayIsAFailure) {
  region_.Init(os_, kBase, kMiB);
  os_.PutForeign(kBase + 16 * kKiB, 4 * kKiB);
  EXPECT_TRUE(region_.EnsureBytes(16 * kKiB, 64 * kKiB)) << "without the slack";
  EXPECT_FALSE(region_.EnsureBytes(16 * kKiB + 1, 0));
  EXPECT_EQ(region_.committed(), 16 * kKiB);
  os_.RemoveForeign(kBase + 16 * kKiB, 4 * kKiB);
  EXPECT_TRUE(region_.EnsureBytes(16 * kKiB + 1, 0));
}

TEST_F(FlatRegionTest, BeyondTheClaimIsAFailureWithoutACall) {
  region_.Init(os_, kBase, kMiB);
  EXPECT_FALSE(region_.EnsureBytes(kMiB + 1, 0));
  EXPECT_EQ(os_.calls(), 0);
}

TEST_F(FlatRegionTest, WholePagesOf64KiB) {
  os_.set_page_size(64 * kKiB);
  region_.Init(os_, kBase, kMiB);
  ASSERT_TRUE(region_.EnsureBytes(1, 1));
  EXPECT_EQ(region_.committed(), 64 * kKiB);
}

class ReservedFlatRegionTest : public FlatRegionTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(os_.ReserveAt(kBase, kMiB), MapResult::kOk);
    region_.Init(os_, kBase, kMiB, true);
  }
};

TEST_F(ReservedFlatRegionTest, CommitsWhatIsItsOwn) {
  ASSERT_TRUE(region_.EnsureBytes(5000, 10000));
  EXPECT_EQ(region_.committed(), 16 * kKiB);
  EXPECT_TRUE(os_.Is(kBase, 16 * kKiB, State::kCommitted));
  EXPECT_TRUE(os_.Is(kBase + 16 * kKiB, kMiB - 16 * kKiB, State::kReserved));
  EXPECT_EQ(os_.calls(Call::kMapAt), 0) << "nobody else's mapping can be in its way";
  os_.FailFromNth(1);
  EXPECT_FALSE(region_.EnsureBytes(100000, 0));
  EXPECT_EQ(region_.committed(), 16 * kKiB);
  os_.Heal();
  EXPECT_TRUE(region_.EnsureBytes(kMiB, 0));
}

TEST_F(ReservedFlatRegionTest, LeavesTheRestAndThenMaps) {
  ASSERT_TRUE(region_.EnsureBytes(5000, 0));
  EXPECT_TRUE(region_.LeaveReserved());
  EXPECT_TRUE(os_.Is(kBase, 8 * kKiB, State::kCommitted));
  EXPECT_TRUE(os_.Is(kBase + 8 * kKiB, kMiB - 8 * kKiB, State::kNone));
  EXPECT_TRUE(region_.EnsureBytes(9000, 0));
  EXPECT_EQ(os_.calls(Call::kMapAt), 1);
  const int calls = os_.calls();
  EXPECT_TRUE(region_.LeaveReserved());
  EXPECT_EQ(os_.calls(), calls) << "only once";
}

TEST_F(ReservedFlatRegionTest, WhatCannotBeLeftStaysInUse) {
  os_.FailNth(1, Call::kUnmap);
  EXPECT_FALSE(region_.LeaveReserved());
  EXPECT_TRUE(region_.EnsureBytes(5000, 0));
  EXPECT_EQ(os_.calls(Call::kCommit), 1);
  EXPECT_TRUE(region_.LeaveReserved());
  EXPECT_TRUE(os_.Is(kBase + 8 * kKiB, kMiB - 8 * kKiB, State::kNone));
}

TEST(FlatArrayTest, ElementsAreZeroUntilWrittenAndStayInPlace) {
  FakeMemory os;
  FlatArray<uint64_t> array;
  EXPECT_EQ(FlatArray<uint64_t>::BytesFor(1000), 8000U);
  array.Init(os, kFreeAddress, 10240);
  ASSERT_TRUE(array.EnsureCount(512, 0));
  for (size_t i = 0; i < 512; ++i) ASSERT_EQ(array[i], 0U);
  for (size_t i = 0; i < 512; ++i) array[i] = i * 3;
  ASSERT_TRUE(array.EnsureCount(10240, 0));
  for (size_t i = 0; i < 10240; ++i) ASSERT_EQ(array[i], i < 512 ? i * 3 : 0);
  EXPECT_EQ(array.committed_bytes(), 80 * kKiB);
  EXPECT_FALSE(array.EnsureCount(10241, 0));
}

}  // namespace
}  // namespace prairie
