// What sanitizers leave to others: what is said of each, and of the one that is in this process.
#include "allocator/os/sanitizers.h"

#include <gtest/gtest.h>

#include "allocator/base/config.h"
#include "tests/support/sanitizers.h"

namespace prairie {
namespace {

TEST(SanitizersTest, TheOneInThisProcessIsSeen) {
  const Sanitizer built_with = kAddressSanitizer  ? Sanitizer::kAddress
                               : kThreadSanitizer ? Sanitizer::kThread
                                                  : Sanitizer::kNone;
  EXPECT_EQ(SanitizerInProcess(), built_with);
}

TEST(SanitizersTest, WithoutOneEverythingIsLeft) {
  EXPECT_TRUE(SanitizerLeaves(Sanitizer::kNone, kArenaHint, kMinWindow));
  EXPECT_TRUE(SanitizerLeaves(Sanitizer::kNone, 0, SIZE_MAX));
}

#if defined(__x86_64__)

constexpr uintptr_t kEnd = uintptr_t{1} << 47;

TEST(SanitizersTest, TheArenasOwnPlaceIsLeftByNeither) {
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kAddress, kArenaHint, 4096));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kThread, kArenaHint, 4096));
}

TEST(SanitizersTest, AddressSanitizerLeavesWhatIsAboveItsShadow) {
  constexpr uintptr_t kHighMemory = 0x10007fff8000;
  EXPECT_TRUE(SanitizerLeaves(Sanitizer::kAddress, kHighMemory, 4096));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kAddress, kHighMemory - 1, 1));
  EXPECT_TRUE(SanitizerLeaves(Sanitizer::kAddress, kHighMemory, kEnd - kHighMemory));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kAddress, kHighMemory, kEnd - kHighMemory + 1));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kAddress, kHighMemory, SIZE_MAX)) << "no overflow";
}

TEST(SanitizersTest, ThreadSanitizerLeavesTwoRangesButNotBothAtOnce) {
  EXPECT_TRUE(SanitizerLeaves(Sanitizer::kThread, uintptr_t{0x1c} << 32, 64 * kGiB));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kThread, uintptr_t{0x40} << 32, 256 * kGiB + 1));
  EXPECT_TRUE(SanitizerLeaves(Sanitizer::kThread, kEnd - kTiB, kTiB));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kThread, 32 * kTiB, 4096));
  EXPECT_FALSE(SanitizerLeaves(Sanitizer::kThread, 4096, kEnd - 4096));
}

#endif

}  // namespace
}  // namespace prairie
