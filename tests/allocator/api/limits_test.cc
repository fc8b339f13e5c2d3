// Limits in the C and C++ API: what is told about a failure.
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

TEST(LimitsTest, AFailureNeedsAPlace) { EXPECT_EQ(prairie_last_failure(nullptr), EINVAL); }

TEST(LimitsTest, ARequestBeyondTheWindow) {
  const size_t before = prairie::LastFailure().count;
  const size_t huge = size_t{1} << 60;
  EXPECT_EQ(prairie_malloc(Opaque(huge)), nullptr);
  prairie_failure failure = prairie::LastFailure();
  EXPECT_EQ(failure.kind, PRAIRIE_LIMIT_WINDOW);
  EXPECT_STREQ(failure.name, "window");
  EXPECT_EQ(failure.requested, huge);
  EXPECT_EQ(failure.count, before + 1);
  EXPECT_GE(failure.limit, size_t{1} << 35);
  EXPECT_LT(failure.limit, huge);
  EXPECT_LT(failure.used, failure.limit);

  EXPECT_EQ(prairie_calloc(1, Opaque(huge + 1)), nullptr);
  EXPECT_EQ(prairie::LastFailure().requested, huge + 1);
  EXPECT_EQ(prairie_aligned_alloc(Opaque(huge), 7), nullptr);
  EXPECT_EQ(prairie::LastFailure().requested, 7U) << "it was the alignment";
  void* const object = prairie_malloc(100 * kMiB);
  EXPECT_EQ(prairie_realloc(object, Opaque(huge + 2)), nullptr);
  EXPECT_EQ(prairie::LastFailure().requested, huge + 2);
  EXPECT_EQ(prairie::LastFailure().count, before + 4);
  EXPECT_EQ(prairie::LastFailure().kind, PRAIRIE_LIMIT_WINDOW);
  prairie_free(object);
}

TEST(LimitsTest, SizesThatOverflowAreNotRecorded) {
  const size_t before = prairie::LastFailure().count;
  EXPECT_EQ(prairie_calloc(Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(prairie_reallocarray(nullptr, Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(prairie::LastFailure().count, before);
}

TEST(LimitsTest, SuccessLeavesTheLastFailureAlone) {
  EXPECT_EQ(prairie_malloc(Opaque(size_t{1} << 60)), nullptr);
  const prairie_failure before = prairie::LastFailure();
  prairie_free(prairie_malloc(100));
  prairie_free(prairie_malloc(10 * kMiB));
  const prairie_failure after = prairie::LastFailure();
  EXPECT_EQ(after.count, before.count);
  EXPECT_EQ(after.requested, before.requested);
}

}  // namespace
