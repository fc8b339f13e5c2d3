// Names beyond the usual ones: glibc's internal aliases, cfree, C23's free_sized, and what other
// allocators have.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cerrno>
#include <string>

#include "tests/surface/surface.h"

namespace {

using Allocate = void*(size_t);
using AllocateAligned = void*(size_t, size_t);
using Release = void(void*);

// Skips where a C library has no such function; under Prairie its absence is a failure.
#define REQUIRE_SYMBOL(function, name)                                           \
  if ((function) == nullptr && !UnderPrairie()) {                                \
    GTEST_SKIP() << "not under Prairie: the C library does not have " << (name); \
  }                                                                              \
  ASSERT_NE(function, nullptr) << (name)

void ExpectPrairies(void* block, const char* name) {
  ASSERT_NE(block, nullptr) << name;
  if (UnderPrairie()) {
    EXPECT_TRUE(InArena(block)) << name << " gave " << block;
  }
}

TEST(ExtensionsTest, LibcAliasesAreTheSameHeap) {
  for (const char* name : {"__libc_malloc", "__libc_valloc", "__libc_pvalloc"}) {
    auto* allocate = Symbol<Allocate>(name);
    REQUIRE_SYMBOL(allocate, name);
    void* block = allocate(1000);
    ExpectPrairies(block, name);
    Fill(block, 1000, 1);
    EXPECT_GE(malloc_usable_size(block), 1000U);
    free(block);
  }
  auto* libc_calloc = Symbol<AllocateAligned>("__libc_calloc");
  REQUIRE_SYMBOL(libc_calloc, "__libc_calloc");
  void* block = libc_calloc(10, 100);
  ExpectPrairies(block, "__libc_calloc");
  EXPECT_TRUE(IsZero(block, 1000));
  auto* libc_realloc = Symbol<void*(void*, size_t)>("__libc_realloc");
  REQUIRE_SYMBOL(libc_realloc, "__libc_realloc");
  Fill(block, 1000, 2);
  block = libc_realloc(block, 100000);
  ExpectPrairies(block, "__libc_realloc");
  EXPECT_TRUE(Holds(block, 1000, 2));
  free(block);
  auto* libc_memalign = Symbol<AllocateAligned>("__libc_memalign");
  REQUIRE_SYMBOL(libc_memalign, "__libc_memalign");
  block = libc_memalign(4096, 100);
  ExpectPrairies(block, "__libc_memalign");
  EXPECT_TRUE(IsAligned(block, 4096));
  auto* libc_free = Symbol<Release>("__libc_free");
  REQUIRE_SYMBOL(libc_free, "__libc_free");
  libc_free(block);
  libc_free(malloc(50));
  libc_free(nullptr);
}

TEST(ExtensionsTest, PosixMemalignAlias) {
  auto* function = Symbol<int(void**, size_t, size_t)>("__posix_memalign");
  REQUIRE_SYMBOL(function, "__posix_memalign");
  void* block = nullptr;
  ASSERT_EQ(function(&block, 256, 1000), 0);
  ExpectPrairies(block, "__posix_memalign");
  EXPECT_TRUE(IsAligned(block, 256));
  free(block);
  EXPECT_EQ(function(&block, 3, 1000), EINVAL);
}

TEST(ExtensionsTest, Cfree) {
  for (const char* name : {"cfree", "__libc_cfree"}) {
    auto* function = Symbol<Release>(name);
    REQUIRE_SYMBOL(function, name);
    for (int i = 0; i < 1000; ++i) {
      void* block = calloc(1, 100000);
      function(block);
    }
    function(nullptr);
  }
}

TEST(ExtensionsTest, LibcMalloptAndMallinfo) {
  auto* mallopt_alias = Symbol<int(int, int)>("__libc_mallopt");
  REQUIRE_SYMBOL(mallopt_alias, "__libc_mallopt");
  EXPECT_EQ(mallopt_alias(M_TRIM_THRESHOLD, 1 << 17), 1);
  auto* mallinfo_alias = Symbol<struct mallinfo()>("__libc_mallinfo");
  REQUIRE_SYMBOL(mallinfo_alias, "__libc_mallinfo");
  void* block = malloc(1 << 20);
  EXPECT_GT(mallinfo_alias().uordblks + mallinfo_alias().hblkhd, 1 << 19);
  free(block);
}

TEST(ExtensionsTest, FreeSized) {
  auto* free_sized = Symbol<void(void*, size_t)>("free_sized");
  REQUIRE_SYMBOL(free_sized, "free_sized");
  auto* free_aligned_sized = Symbol<void(void*, size_t, size_t)>("free_aligned_sized");
  REQUIRE_SYMBOL(free_aligned_sized, "free_aligned_sized");
  for (size_t size : {0, 1, 16, 100, 32768, 100000, 5000000}) {
    for (int i = 0; i < 100; ++i) {
      free_sized(malloc(size), size);
      free_sized(calloc(1, size), size);
      free_aligned_sized(aligned_alloc(64, size), 64, size);
    }
  }
  errno = 4711;
  free_sized(nullptr, 0);
  free_aligned_sized(nullptr, 64, 0);
  free_sized(malloc(5000000), 5000000);
  EXPECT_EQ(errno, 4711);
}

TEST(ExtensionsTest, NallocxForetellsTheUsableSize) {
  auto* nallocx = Symbol<size_t(size_t, int)>("nallocx");
  REQUIRE_SYMBOL(nallocx, "nallocx");
  auto* sdallocx = Symbol<void(void*, size_t, int)>("sdallocx");
  REQUIRE_SYMBOL(sdallocx, "sdallocx");
  for (size_t size = 1; size < 2000000; size += 1 + size / 7) {
    const size_t foretold = nallocx(size, 0);
    EXPECT_GE(foretold, size);
    void* block = malloc(size);
    EXPECT_EQ(malloc_usable_size(block), foretold) << size;
    sdallocx(block, size, 0);
  }
  // The flags' low six bits are the logarithm of an alignment.
  for (int shift = 0; shift < 20; ++shift) {
    const size_t foretold = nallocx(1000, shift);
    EXPECT_GE(foretold, 1000U);
    sdallocx(memalign(size_t{1} << shift, 1000), 1000, shift);
  }
  EXPECT_EQ(nallocx(SIZE_MAX, 0), 0U) << "0 says that it cannot be had";
}

TEST(ExtensionsTest, GoodSizeAndSize) {
  auto* good_size = Symbol<size_t(size_t)>("malloc_good_size");
  REQUIRE_SYMBOL(good_size, "malloc_good_size");
  auto* malloc_size = Symbol<size_t(const void*)>("malloc_size");
  REQUIRE_SYMBOL(malloc_size, "malloc_size");
  for (size_t size = 1; size < 2000000; size += 1 + size / 7) {
    const size_t good = good_size(size);
    EXPECT_GE(good, size);
    EXPECT_EQ(good_size(good), good) << "a good size is its own good size";
    void* block = malloc(size);
    EXPECT_EQ(malloc_size(block), malloc_usable_size(block));
    EXPECT_EQ(malloc_size(block), good) << size;
    free(block);
  }
  EXPECT_EQ(malloc_size(nullptr), 0U);
}

}  // namespace
