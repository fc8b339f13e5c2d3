// Limits in the C and C++ API: what is told about a failure, and those of Prairie's own.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "prairie/prairie.h"
#include "prairie/prairie.hpp"

namespace {

constexpr size_t kMiB = 1 << 20;

// What a compiler may not know to be too large.
size_t Opaque(size_t value) {
  asm volatile("" : "+r"(value));
  return value;
}

constexpr bool kNarrow = sizeof(void*) == 4;

// More than any window.
constexpr size_t kHuge = static_cast<size_t>(kNarrow ? 0xfff00000 : uint64_t{1} << 60);

TEST(LimitsTest, AFailureNeedsAPlace) { EXPECT_EQ(prairie_last_failure(nullptr), EINVAL); }

TEST(LimitsTest, ARequestBeyondTheWindow) {
  const size_t before = prairie::LastFailure().count;
  const size_t huge = kHuge;
  EXPECT_EQ(prairie_malloc(Opaque(huge)), nullptr);
  prairie_failure failure = prairie::LastFailure();
  EXPECT_EQ(failure.kind, PRAIRIE_LIMIT_WINDOW);
  EXPECT_STREQ(failure.name, "window");
  EXPECT_EQ(failure.requested, huge);
  EXPECT_EQ(failure.count, before + 1);
  EXPECT_GE(failure.limit, kNarrow ? size_t{2} << 30 : static_cast<size_t>(uint64_t{1} << 35));
  EXPECT_LT(failure.limit, huge);
  EXPECT_LT(failure.used, failure.limit);

  EXPECT_EQ(prairie_calloc(1, Opaque(huge + 1)), nullptr);
  EXPECT_EQ(prairie::LastFailure().requested, huge + 1);
  if (!kNarrow) {  // Where every power of two is an address's alignment.
    EXPECT_EQ(prairie_aligned_alloc(Opaque(huge), 7), nullptr);
    EXPECT_EQ(prairie::LastFailure().requested, 7U) << "it was the alignment";
  }
  void* const object = prairie_malloc(100 * kMiB);
  EXPECT_EQ(prairie_realloc(object, Opaque(huge + 2)), nullptr);
  EXPECT_EQ(prairie::LastFailure().requested, huge + 2);
  EXPECT_EQ(prairie::LastFailure().count, before + (kNarrow ? 3 : 4));
  EXPECT_EQ(prairie::LastFailure().kind, PRAIRIE_LIMIT_WINDOW);
  prairie_free(object);
}

TEST(LimitsTest, SizesThatOverflowAreNotRecorded) {
  const size_t before = prairie::LastFailure().count;
  EXPECT_EQ(prairie_calloc(Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(prairie_reallocarray(nullptr, Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(prairie::LastFailure().count, before);
}

// Takes the limit and the handler away again.
class OwnLimitTest : public testing::Test {
 protected:
  void TearDown() override {
    prairie_set_pressure_handler(nullptr, nullptr);
    EXPECT_TRUE(prairie::SetLimit({}));
  }
};

TEST_F(OwnLimitTest, ThereIsNoneUntilItIsSet) {
  size_t soft = 1, hard = 1;
  prairie_get_limit(&soft, &hard);
  EXPECT_EQ(soft, 0U);
  EXPECT_EQ(hard, 0U);
  EXPECT_EQ(prairie_set_limit(200 * kMiB, 300 * kMiB), 0);
  prairie_get_limit(&soft, nullptr);
  prairie_get_limit(nullptr, &hard);
  prairie_get_limit(nullptr, nullptr);
  EXPECT_EQ(soft, 200 * kMiB);
  EXPECT_EQ(hard, 300 * kMiB);
  EXPECT_EQ(prairie::GetLimit().soft, 200 * kMiB);
  EXPECT_EQ(prairie::GetLimit().hard, 300 * kMiB);
}

TEST_F(OwnLimitTest, TheSoftOneMayNotExceedTheHardOne) {
  EXPECT_EQ(prairie_set_limit(5 * kMiB, 6 * kMiB), 0);
  EXPECT_EQ(prairie_set_limit(300 * kMiB, 200 * kMiB), EINVAL);
  EXPECT_FALSE(prairie::SetLimit({2, 1}));
  EXPECT_EQ(prairie::GetLimit().soft, 5 * kMiB) << "unchanged";
  EXPECT_EQ(prairie::GetLimit().hard, 6 * kMiB) << "unchanged";
  EXPECT_EQ(prairie_set_limit(7, 7), 0);
  EXPECT_EQ(prairie_set_limit(SIZE_MAX, 0), 0);
  EXPECT_EQ(prairie_set_limit(0, SIZE_MAX), 0);
}

TEST_F(OwnLimitTest, BeyondTheHardOneThereIsNothing) {
  ASSERT_EQ(prairie_set_limit(0, 50 * kMiB), 0);
  errno = 0;
  EXPECT_EQ(prairie_malloc(60 * kMiB), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  const prairie_failure failure = prairie::LastFailure();
  EXPECT_EQ(failure.kind, PRAIRIE_LIMIT_HEAP);
  EXPECT_STREQ(failure.name, "limit");
  EXPECT_EQ(failure.limit, 50 * kMiB);
  EXPECT_LT(failure.used, 50 * kMiB);
  EXPECT_EQ(failure.requested, 60 * kMiB);
  void* const object = prairie_malloc(40 * kMiB);
  ASSERT_NE(object, nullptr);
  memset(object, 1, 40 * kMiB);
  EXPECT_EQ(prairie_realloc(object, 60 * kMiB), nullptr);
  EXPECT_EQ(static_cast<char*>(object)[40 * kMiB - 1], 1) << "as it was";
  prairie_free(object);
  ASSERT_EQ(prairie_set_limit(0, 0), 0);
  void* const large = prairie_malloc(60 * kMiB);
  EXPECT_NE(large, nullptr);
  prairie_free(large);
}

TEST_F(OwnLimitTest, TheHandlerIsAskedWithItsArgument) {
  struct Seen {
    int soft = 0, hard = 0;
  } seen;
  prairie_set_pressure_handler(
      [](void* argument, enum prairie_pressure pressure) {
        Seen* const s = static_cast<Seen*>(argument);
        ++(pressure == PRAIRIE_PRESSURE_SOFT ? s->soft : s->hard);
      },
      &seen);
  ASSERT_EQ(prairie_set_limit(30 * kMiB, 50 * kMiB), 0);
  void* const object = prairie_malloc(40 * kMiB);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(seen.soft, 1);
  EXPECT_EQ(seen.hard, 0);
  EXPECT_EQ(prairie_malloc(40 * kMiB), nullptr);
  EXPECT_EQ(seen.soft, 1);
  EXPECT_EQ(seen.hard, 1);
  prairie_set_pressure_handler(nullptr, nullptr);
  EXPECT_EQ(prairie_malloc(40 * kMiB), nullptr);
  EXPECT_EQ(seen.hard, 1);
  prairie_free(object);
}

TEST(LimitsTest, SuccessLeavesTheLastFailureAlone) {
  EXPECT_EQ(prairie_malloc(Opaque(kHuge)), nullptr);
  const prairie_failure before = prairie::LastFailure();
  prairie_free(prairie_malloc(100));
  prairie_free(prairie_malloc(10 * kMiB));
  const prairie_failure after = prairie::LastFailure();
  EXPECT_EQ(after.count, before.count);
  EXPECT_EQ(after.requested, before.requested);
}

}  // namespace
