// bench/bump_allocator.cc, which is linked in: every malloc here is its.
#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace {

bool IsZero(const char* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

uintptr_t Address(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

TEST(BumpAllocator, IsTheMallocOfThisProgram) {
  char* const first = static_cast<char*>(malloc(24));
  char* const second = static_cast<char*>(malloc(24));
  free(first);
  EXPECT_EQ(second, first + 32);  // in address order, 8 bytes in front of each
  EXPECT_NE(malloc(24), first);   // never again
}

TEST(BumpAllocator, EveryObjectHasRoomAndIsAligned) {
  std::vector<std::pair<char*, size_t>> objects;
  for (size_t size = 0; size < 300000; size += 1 + size / 7) {
    char* const object = static_cast<char*>(malloc(size));
    ASSERT_NE(object, nullptr);
    EXPECT_EQ(Address(object) % 16, 0u) << size;
    EXPECT_GE(malloc_usable_size(object), size);
    memset(object, static_cast<int>(size % 251), malloc_usable_size(object));
    objects.emplace_back(object, size);
  }
  for (const auto& [object, size] : objects) {
    const char wanted = static_cast<char>(size % 251);
    for (size_t i = 0; i < malloc_usable_size(object); ++i) ASSERT_EQ(object[i], wanted) << size;
  }
}

TEST(BumpAllocator, CallocIsZeroAndCountsOverflow) {
  // What realloc left behind it does not come back as zero memory.
  char* const object = static_cast<char*>(malloc(1000));
  memset(object, 1, 1000);
  EXPECT_EQ(realloc(object, 10), object);
  for (size_t size : {1, 100, 5000, 200000}) {
    EXPECT_TRUE(IsZero(static_cast<char*>(calloc(2, size)), 2 * size)) << size;
  }
  volatile size_t half = SIZE_MAX / 2;  // what the compiler knows it warns of
  errno = 0;
  EXPECT_EQ(calloc(half, 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(malloc(2 * half), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(reallocarray(nullptr, half, 3), nullptr);
}

TEST(BumpAllocator, ReallocKeepsTheBytes) {
  size_t old_size = 1;
  char* object = static_cast<char*>(realloc(nullptr, old_size));
  object[0] = 'a';
  for (size_t size = 2; size < 400000; size += 1 + size / 3) {
    object = static_cast<char*>(realloc(object, size));
    ASSERT_GE(malloc_usable_size(object), size);
    for (size_t i = 0; i < old_size; ++i) ASSERT_EQ(object[i], 'a') << size;
    memset(object, 'a', size);
    old_size = size;
  }
  char* const last = static_cast<char*>(malloc(40));
  EXPECT_EQ(realloc(last, 4000), last) << "the last object grows where it is";
  char* const next = static_cast<char*>(malloc(40));
  EXPECT_GE(next, last + 4000);
  memset(last, 5, 4000);
  EXPECT_NE(realloc(last, 9000), last);
  EXPECT_EQ(realloc(next, 0), nullptr);
}

TEST(BumpAllocator, Alignments) {
  for (size_t alignment = 1; alignment <= 1 << 21; alignment *= 2) {
    for (size_t size : {1, 100, 70000}) {
      const auto check = [&](void* object) {
        ASSERT_NE(object, nullptr);
        EXPECT_EQ(Address(object) % alignment, 0u);
        EXPECT_GE(malloc_usable_size(object), size);
        memset(object, 1, malloc_usable_size(object));
        EXPECT_NE(realloc(object, 3 * size), nullptr);
      };
      check(memalign(alignment, size));
      check(aligned_alloc(alignment, size));
      check(operator new (size, std::align_val_t{alignment}));
      if (alignment >= sizeof(void*)) {
        void* object = nullptr;
        EXPECT_EQ(posix_memalign(&object, alignment, size), 0);
        check(object);
      }
    }
  }
  void* untouched = &untouched;
  EXPECT_EQ(posix_memalign(&untouched, 24, 8), EINVAL);
  EXPECT_EQ(untouched, &untouched);
  EXPECT_EQ(Address(valloc(10)) % 4096, 0u);
  EXPECT_EQ(malloc_usable_size(pvalloc(10)) & ~size_t{4095}, 4096u);
  EXPECT_EQ(malloc_usable_size(nullptr), 0u);
}

TEST(BumpAllocator, ThreadsDoNotShareChunks) {
  constexpr int kThreads = 8;
  constexpr int kObjects = 20000;
  std::vector<std::vector<uint32_t*>> objects(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t, &objects] {
      for (int i = 0; i < kObjects; ++i) {
        uint32_t* const object = new uint32_t[1 + i % 40];
        for (int k = 0; k <= i % 40; ++k) object[k] = static_cast<uint32_t>(t * kObjects + i);
        objects[t].push_back(object);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kObjects; ++i) {
      for (int k = 0; k <= i % 40; ++k) {
        ASSERT_EQ(objects[t][i][k], static_cast<uint32_t>(t * kObjects + i));
      }
    }
  }
}

TEST(BumpAllocatorDeathTest, EndsAtItsLimit) {
  const auto fill = [] {
    while (malloc(size_t{1} << 30) != nullptr) {
    }
  };
  EXPECT_EXIT(fill(), testing::ExitedWithCode(99), "its limit of memory is reached");
}

}  // namespace
