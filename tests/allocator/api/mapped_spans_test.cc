// prairie_span_*: addresses of the arena for the program's mappings, and what lookups say of them.
#include <errno.h>
#include <gtest/gtest.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "prairie/prairie.h"

namespace {

constexpr size_t kSize = 1 << 20;

bool IsReserved() {
  prairie_free(prairie_malloc(1));
  prairie_stats stats;
  EXPECT_EQ(prairie_get_stats(&stats, sizeof stats), 0);
  return stats.reserved_bytes != 0;
}

bool PutBack(void* span, size_t size) {
  return mmap(span, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
              0) == span;
}

// An arena that reserves no addresses has none to give. Returns whether that is so here.
bool HasNone() {
  if (IsReserved()) return false;
  errno = 0;
  EXPECT_EQ(prairie_span_take(kSize, 4096, "name"), nullptr);
  EXPECT_EQ(errno, ENOTSUP);
  return true;
}

TEST(MappedSpansTest, Lookups) {
  if (HasNone()) return;
  char* const span = static_cast<char*>(prairie_span_take(kSize, 4096, "a name"));
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(prairie_owns(span), 1);
  EXPECT_EQ(prairie_is_live(span), 0);
  EXPECT_EQ(prairie_base_of(span), nullptr);
  EXPECT_STREQ(prairie_name_of(span), "a name");
  ASSERT_EQ(
      mmap(span, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
      span);
  memset(span, 1, kSize);
  EXPECT_EQ(prairie_span_set_live(span, kSize - 100), 0);
  for (const size_t at : {size_t{0}, size_t{1}, kSize / 2, kSize - 101}) {
    EXPECT_EQ(prairie_base_of(span + at), span);
    EXPECT_EQ(prairie_size_of(span + at), kSize - 100);
    EXPECT_EQ(prairie_is_live(span + at), 1);
    EXPECT_STREQ(prairie_name_of(span + at), "a name");
  }
  EXPECT_EQ(prairie_base_of(span + kSize - 100), nullptr);
  EXPECT_EQ(prairie_base_of(span + kSize), nullptr);
  EXPECT_EQ(prairie_usable_size(span), 0U) << "no object of malloc";
  EXPECT_EQ(prairie_span_set_live(span, 0), 0);
  EXPECT_EQ(prairie_base_of(span), nullptr);
  EXPECT_STREQ(prairie_name_of(span + kSize / 2), "a name");
  ASSERT_TRUE(PutBack(span, kSize));
  EXPECT_EQ(prairie_span_return(span), 0);
  EXPECT_EQ(prairie_span_return(span), EINVAL);
  EXPECT_EQ(prairie_name_of(span), nullptr);
}

TEST(MappedSpansTest, WrongArguments) {
  errno = 0;
  EXPECT_EQ(prairie_span_take(0, 4096, "name"), nullptr);
  EXPECT_EQ(errno, EINVAL);
  errno = 0;
  EXPECT_EQ(prairie_span_take(kSize, 3000, "name"), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(prairie_span_take(kSize, 4096, nullptr), nullptr);
  if (IsReserved()) {
    errno = 0;
    EXPECT_EQ(prairie_span_take(SIZE_MAX / 2, 4096, "name"), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
  int local;
  EXPECT_EQ(prairie_span_set_live(&local, 1), EINVAL);
  EXPECT_EQ(prairie_span_return(&local), EINVAL);
  EXPECT_EQ(prairie_name_of(&local), nullptr);
  EXPECT_EQ(prairie_name_of(nullptr), nullptr);
  void* const object = prairie_malloc(100000);
  EXPECT_EQ(prairie_span_set_live(object, 1), EINVAL);
  EXPECT_EQ(prairie_span_return(object), EINVAL);
  EXPECT_EQ(prairie_name_of(object), nullptr);
  prairie_free(object);
}

TEST(MappedSpansTest, GuardFaults) {
  if (HasNone()) return;
  volatile char* const span = static_cast<char*>(prairie_span_take(8192, 4096, "name"));
  ASSERT_NE(span, nullptr);
  void* const behind = prairie_malloc(100000);
  EXPECT_DEATH(span[8192] = 1, "");
  prairie_free(behind);
  EXPECT_EQ(prairie_span_return(const_cast<char*>(span)), 0);
}

TEST(MappedSpansTest, FreeIsReportedWithTheName) {
  if (HasNone()) return;
  char* const span = static_cast<char*>(prairie_span_take(kSize, 4096, "data.bin"));
  ASSERT_NE(span, nullptr);
  ASSERT_EQ(prairie_span_set_live(span, kSize), 0);
  EXPECT_DEATH(prairie_free(span),
               "mapped pointer: free\\(0x[0-9a-f]+\\): 0 bytes into the mapping"
               " of data.bin, not from malloc");
  EXPECT_DEATH(static_cast<void>(prairie_realloc(span + 5, 10)), "5 bytes into the mapping");
  EXPECT_EQ(prairie_span_return(span), 0);
}

// The heap goes on around spans that come and go.
TEST(MappedSpansTest, AmongObjects) {
  std::vector<void*> spans;
  std::vector<char*> objects;
  for (int i = 0; i < 200; ++i) {
    if (void* const span = prairie_span_take(static_cast<size_t>(i + 1) * 5000, 4096, "name")) {
      spans.push_back(span);
    }
    objects.push_back(static_cast<char*>(prairie_malloc(40000)));
    ASSERT_NE(objects.back(), nullptr);
    memset(objects.back(), i, 40000);
    if (i % 3 == 0 && !spans.empty()) {
      EXPECT_EQ(prairie_span_return(spans[spans.size() / 2]), 0);
      spans.erase(spans.begin() + static_cast<ptrdiff_t>(spans.size() / 2));
    }
  }
  for (size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(objects[i][39999], static_cast<char>(i));
    prairie_free(objects[i]);
  }
  for (void* span : spans) EXPECT_EQ(prairie_span_return(span), 0);
}

}  // namespace
