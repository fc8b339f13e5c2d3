// prairie_*: C's conventions, questions about pointers, and the figures.
#include <errno.h>
#include <gtest/gtest.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "prairie/prairie.h"

namespace {

// What a compiler may not know to be a mistake.
template <typename T>
T Opaque(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

prairie_stats Stats() {
  prairie_stats stats;
  EXPECT_EQ(prairie_get_stats(&stats, sizeof stats), 0);
  return stats;
}

// These tests keep the C library's malloc, or they would test something else.
TEST(CApiTest, MallocItselfIsNotReplaced) {
  void* const from_libc = Opaque(malloc(100));
  EXPECT_EQ(prairie_owns(from_libc), 0);
  free(from_libc);
}

TEST(CApiTest, MallocAndFree) {
  for (const size_t size : {0, 1, 16, 100, 5000, 32768, 32769, 1000000}) {
    void* const object = prairie_malloc(size);
    ASSERT_NE(object, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(object) % 16, 0U);
    EXPECT_GE(prairie_usable_size(object), size);
    EXPECT_EQ(prairie_usable_size(object), std::max<size_t>(prairie_good_size(size), 16));
    memset(object, 1, prairie_usable_size(object));
    prairie_free(object);
  }
  prairie_free(nullptr);
}

TEST(CApiTest, TooMuchIsEnomem) {
  for (const size_t size :
       {size_t{PTRDIFF_MAX}, size_t{PTRDIFF_MAX} + 1, SIZE_MAX - 15, SIZE_MAX}) {
    errno = 0;
    EXPECT_EQ(prairie_malloc(Opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(prairie_realloc(nullptr, Opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(prairie_aligned_alloc(64, Opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(prairie_calloc(1, Opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
  EXPECT_EQ(prairie_good_size(SIZE_MAX), 0U);
  EXPECT_EQ(prairie_good_size(size_t{PTRDIFF_MAX} + 1), 0U);
}

TEST(CApiTest, ProductsThatOverflowAreEnomem) {
  const size_t half = size_t{1} << (sizeof(size_t) * 4 + 1);
  errno = 0;
  EXPECT_EQ(prairie_calloc(Opaque(half), half), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(prairie_calloc(Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  void* const object = prairie_malloc(100);
  memset(object, 5, 100);
  errno = 0;
  EXPECT_EQ(prairie_reallocarray(object, Opaque(half), half), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(static_cast<char*>(object)[99], 5) << "and the object is as it was";
  prairie_free(object);
  void* const nothing = prairie_calloc(0, SIZE_MAX);
  EXPECT_NE(nothing, nullptr) << "nothing is no overflow";
  prairie_free(nothing);
}

TEST(CApiTest, CallocIsZero) {
  for (const size_t size : {1, 16, 1000, 32768, 40000, 1000000}) {
    for (int round = 0; round < 3; ++round) {
      char* const object = static_cast<char*>(prairie_calloc(size, 3));
      ASSERT_NE(object, nullptr);
      EXPECT_TRUE(std::all_of(object, object + 3 * size, [](char byte) { return byte == 0; }));
      memset(object, 0xff, 3 * size);
      prairie_free(object);
    }
  }
}

TEST(CApiTest, ReallocOfNullAndToNothing) {
  void* const object = prairie_realloc(nullptr, 100);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(prairie_is_live(object), 1);
  EXPECT_EQ(prairie_realloc(object, 0), nullptr);
  EXPECT_EQ(prairie_is_live(object), 0);
  int* const array = static_cast<int*>(prairie_reallocarray(nullptr, 10, sizeof(int)));
  ASSERT_NE(array, nullptr);
  EXPECT_GE(prairie_usable_size(array), 40U);
  prairie_free(array);
}

TEST(CApiTest, AlignmentsMustBePowersOfTwo) {
  for (const size_t alignment : {0, 3, 24, 100}) {
    errno = 0;
    EXPECT_EQ(prairie_aligned_alloc(Opaque(alignment), 100), nullptr);
    EXPECT_EQ(errno, EINVAL);
    void* result = &result;
    EXPECT_EQ(prairie_posix_memalign(&result, Opaque(alignment), 100), EINVAL);
    EXPECT_EQ(result, &result) << "untouched";
  }
  void* result = &result;
  for (size_t alignment = 1; alignment < sizeof(void*); alignment *= 2) {
    EXPECT_EQ(prairie_posix_memalign(&result, Opaque(alignment), 100), EINVAL);
  }
  for (size_t alignment = 8; alignment <= 1 << 22; alignment *= 2) {
    ASSERT_EQ(prairie_posix_memalign(&result, alignment, 100), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(result) % alignment, 0U);
    prairie_free(result);
  }
  errno = 0;
  EXPECT_EQ(prairie_posix_memalign(&result, 64, SIZE_MAX / 2), ENOMEM);
  EXPECT_EQ(errno, 0) << "POSIX: it returns the error instead";
}

TEST(CApiTest, QuestionsAboutAnyPointer) {
  for (const size_t size : {10, 100, 3000, 30000, 100000}) {
    char* const object = static_cast<char*>(prairie_malloc(size));
    const size_t whole = prairie_usable_size(object);
    for (const size_t inside : {size_t{0}, size_t{1}, whole / 2, whole - 1}) {
      EXPECT_EQ(prairie_base_of(object + inside), object);
      EXPECT_EQ(prairie_size_of(object + inside), whole);
      EXPECT_EQ(prairie_is_live(object + inside), 1);
      EXPECT_EQ(prairie_owns(object + inside), 1);
      EXPECT_EQ(prairie_usable_size(object + inside), inside == 0 ? whole : 0);
    }
    prairie_free(object);
    for (const size_t inside : {size_t{0}, size_t{1}, whole - 1}) {
      EXPECT_EQ(prairie_base_of(object + inside), nullptr);
      EXPECT_EQ(prairie_size_of(object + inside), 0U);
      EXPECT_EQ(prairie_is_live(object + inside), 0);
      EXPECT_EQ(prairie_owns(object + inside), 1) << "in the arena, live or not";
      EXPECT_EQ(prairie_usable_size(object + inside), 0U);
    }
  }
}

TEST(CApiTest, QuestionsAboutPointersFromElsewhere) {
  static int in_data;
  int on_stack;
  void* const from_libc = Opaque(malloc(100));
  const prairie_stats stats = Stats();
  for (const void* pointer :
       {static_cast<const void*>(nullptr), static_cast<const void*>(&in_data),
        static_cast<const void*>(&on_stack), static_cast<const void*>(from_libc),
        reinterpret_cast<const void*>(UINTPTR_MAX), reinterpret_cast<const void*>(uintptr_t{8}),
        reinterpret_cast<const void*>(stats.arena_base - 1),
        reinterpret_cast<const void*>(stats.arena_end)}) {
    EXPECT_EQ(prairie_base_of(pointer), nullptr) << pointer;
    EXPECT_EQ(prairie_size_of(pointer), 0U) << pointer;
    EXPECT_EQ(prairie_is_live(pointer), 0) << pointer;
    EXPECT_EQ(prairie_owns(pointer), 0) << pointer;
    EXPECT_EQ(prairie_usable_size(pointer), 0U) << pointer;
  }
  free(from_libc);
}

TEST(CApiTest, GoodSizeIsWhatAnObjectWillHold) {
  for (size_t size = 0; size < 200000; size += 1 + size / 50) {
    void* const object = prairie_malloc(size);
    EXPECT_GE(prairie_good_size(size), size);
    EXPECT_EQ(prairie_usable_size(object), prairie_good_size(size)) << size;
    EXPECT_EQ(prairie_good_size(prairie_good_size(size)), prairie_good_size(size));
    prairie_free(object);
  }
}

TEST(CApiTest, StatsCountWhatIsInTheProgramsHands) {
  const prairie_stats before = Stats();
  void* const small = prairie_malloc(1000);
  void* const large = prairie_malloc(100000);
  const prairie_stats during = Stats();
  EXPECT_EQ(during.allocated_count, before.allocated_count + 2);
  EXPECT_EQ(during.large_count, before.large_count + 1);
  EXPECT_EQ(during.allocated_bytes,
            before.allocated_bytes + prairie_usable_size(small) + prairie_usable_size(large));
  EXPECT_EQ(during.large_bytes, before.large_bytes + prairie_usable_size(large));
  EXPECT_GE(reinterpret_cast<uintptr_t>(small), during.arena_base);
  EXPECT_LT(reinterpret_cast<uintptr_t>(large), during.arena_end);
  EXPECT_GE(during.committed_bytes, during.allocated_bytes);
  EXPECT_GE(during.peak_committed_bytes, during.committed_bytes);
  EXPECT_GE(during.thread_count, 1U);
  EXPECT_GT(during.metadata_bytes, 0U);
  const char* const options = getenv("PRAIRIE_OPTIONS");
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  if (sizeof(void*) == 4 || limit.rlim_cur != RLIM_INFINITY ||
      (options != nullptr && strcmp(options, "arena=unreserved") == 0)) {
    EXPECT_EQ(during.reserved_bytes, 0U);
  } else {
    EXPECT_GE(during.reserved_bytes, during.arena_end - during.arena_base);
  }
  prairie_free(small);
  prairie_free(large);
  const prairie_stats after = Stats();
  EXPECT_EQ(after.allocated_count, before.allocated_count);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
}

TEST(CApiTest, StatsForAnOlderHeader) {
  void* const object = prairie_malloc(1000);
  prairie_stats stats;
  memset(&stats, 0x5a, sizeof stats);
  const size_t shorter = offsetof(prairie_stats, large_bytes);
  EXPECT_EQ(prairie_get_stats(&stats, shorter), 0);
  EXPECT_EQ(stats.allocated_count, Stats().allocated_count);
  size_t untouched;
  memset(&untouched, 0x5a, sizeof untouched);
  EXPECT_EQ(stats.large_bytes, untouched);
  EXPECT_EQ(stats.thread_count, untouched);
  EXPECT_EQ(prairie_get_stats(&stats, 0), 0);
  EXPECT_EQ(prairie_get_stats(nullptr, sizeof stats), EINVAL);
  prairie_free(object);
}

TEST(CApiTest, StatsForANewerHeader) {
  struct {
    prairie_stats stats;
    size_t newer;
  } longer;
  longer.newer = 42;
  EXPECT_EQ(prairie_get_stats(&longer.stats, sizeof longer), 0);
  EXPECT_EQ(longer.newer, 42U) << "what the library does not know it does not touch";
}

TEST(CApiTest, TrimGivesMemoryBack) {
  void* const object = prairie_malloc(20 << 20);
  memset(object, 1, 20 << 20);
  prairie_free(object);
  prairie_trim();
  const prairie_stats after = Stats();
  EXPECT_EQ(after.free_dirty_bytes, 0U);
  EXPECT_EQ(after.cached_bytes, 0U);
  EXPECT_EQ(prairie_trim(), 0U);
}

TEST(CApiTest, PrintStatsWritesLines) {
  void* const object = prairie_malloc(100000);
  testing::internal::CaptureStderr();
  prairie_print_stats();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("prairie: heap of process "), 0U) << text;
  EXPECT_NE(text.find("in use"), std::string::npos);
  EXPECT_EQ(text.back(), '\n');
  prairie_free(object);
}

}  // namespace
