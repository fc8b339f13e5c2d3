// malloc and free at the edges of their domain: zero, every small size, too much, and errno.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cerrno>
#include <cstddef>
#include <set>
#include <vector>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

constexpr size_t kTooMuch = size_t{PTRDIFF_MAX} + 1;

TEST(SizesTest, ZeroBytesAreUniqueBlocks) {
  std::set<void*> blocks;
  for (int i = 0; i < 1000; ++i) {
    for (void* block :
         {malloc(0), calloc(0, 8), calloc(8, 0), realloc(nullptr, 0), aligned_alloc(64, 0)}) {
      ASSERT_NE(block, nullptr);
      EXPECT_TRUE(blocks.insert(block).second) << block << " was handed out twice";
    }
  }
  for (void* block : blocks) free(block);
}

TEST(SizesTest, EverySizeIsAlignedTo16AndDoesNotOverlap) {
  std::vector<void*> blocks;
  for (unsigned size = 0; size < 5000; ++size) {
    void* block = malloc(size);
    ASSERT_NE(block, nullptr) << size;
    ASSERT_TRUE(IsAligned(block, 16)) << block << " of " << size;
    Fill(block, size, size);
    blocks.push_back(block);
  }
  for (unsigned size = 0; size < 5000; ++size) ASSERT_TRUE(Holds(blocks[size], size, size)) << size;
  for (void* block : blocks) free(block);
}

TEST(SizesTest, SizesAroundPowersOfTwoUpTo256MiB) {
  PRAIRIE_NEEDS_MEMORY(512, "a block of 256 MiB");
  for (unsigned shift = 4; shift <= 28; ++shift) {
    for (int delta : {-17, -16, -1, 0, 1, 15, 16, 17}) {
      const size_t size = (size_t{1} << shift) + static_cast<size_t>(ptrdiff_t{delta});
      if (size > size_t{1} << 29) continue;
      auto* block = static_cast<unsigned char*>(malloc(size));
      ASSERT_NE(block, nullptr) << size;
      ASSERT_TRUE(IsAligned(block, 16)) << size;
      if (size > 0) {
        block[0] = 1;
        block[size / 2] = 2;
        block[size - 1] = 3;
      }
      free(block);
    }
  }
}

TEST(SizesTest, MoreThanPtrdiffMaxIsEnomem) {
  for (size_t size : {kTooMuch, kTooMuch + 1, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15,
                      SIZE_MAX - 4095, SIZE_MAX - 8191}) {
    errno = 0;
    EXPECT_EQ(malloc(Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    errno = 0;
    EXPECT_EQ(calloc(1, Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    errno = 0;
    EXPECT_EQ(realloc(nullptr, Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    errno = 0;
    EXPECT_EQ(memalign(64, Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    errno = 0;
    EXPECT_EQ(valloc(Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    errno = 0;
    EXPECT_EQ(pvalloc(Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    void* block = &errno;
    EXPECT_EQ(posix_memalign(&block, 64, Opaque(size)), ENOMEM) << size;
    EXPECT_EQ(block, &errno) << "posix_memalign wrote its result when it failed";
  }
}

TEST(SizesTest, MoreThanTheAddressSpaceIsEnomemAndTheHeapLives) {
  std::vector<size_t> sizes;
  if (kNarrowAddresses) {
    // Half of the address space can be had.
    sizes = {size_t{3} << 30, size_t{15} << 28};
  } else {
    for (int bits : {46, 47, 50, 62}) sizes.push_back(static_cast<size_t>(uint64_t{1} << bits));
    sizes.insert(sizes.end(), {PTRDIFF_MAX, PTRDIFF_MAX - 1, PTRDIFF_MAX - 8191});
  }
  for (size_t size : sizes) {
    errno = 0;
    EXPECT_EQ(malloc(Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    errno = 0;
    EXPECT_EQ(aligned_alloc(4096, Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
    for (size_t possible : {16, 5000, 500000, 5000000}) {
      void* block = malloc(possible);
      ASSERT_NE(block, nullptr) << possible << " after " << size;
      Fill(block, possible, 1);
      free(block);
    }
  }
}

TEST(SizesTest, ProductsThatOverflowAreEnomem) {
  const size_t half = size_t{1} << (sizeof(size_t) * 4);
  const size_t products[][2] = {
      {half, half},         {half + 1, half},  {SIZE_MAX, 2},           {2, SIZE_MAX},
      {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 2, 3}, {SIZE_MAX / 16 + 1, 16}, {kTooMuch, 1},
      {kTooMuch / 2, 2},    {half, half / 2}};
  for (const auto& [count, size] : products) {
    errno = 0;
    EXPECT_EQ(calloc(Opaque(count), Opaque(size)), nullptr) << count << " * " << size;
    EXPECT_EQ(errno, ENOMEM) << count << " * " << size;
    void* block = malloc(100);
    Fill(block, 100, 7);
    errno = 0;
    EXPECT_EQ(reallocarray(block, Opaque(count), Opaque(size)), nullptr) << count << " * " << size;
    EXPECT_EQ(errno, ENOMEM) << count << " * " << size;
    EXPECT_TRUE(Holds(block, 100, 7)) << "a failed reallocarray touched the block";
    errno = 0;
    EXPECT_EQ(reallocarray(nullptr, Opaque(count), Opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    free(block);
  }
}

TEST(SizesTest, FreeKeepsErrno) {
  PRAIRIE_NEEDS_MEMORY(1024, "400 MB at once");
  for (size_t size : {0, 16, 1000, 30000, 40000, 200000, 3000000, 100000000}) {
    std::vector<void*> blocks;
    for (int i = 0; i < (size < 100000 ? 500 : 4); ++i) {
      blocks.push_back(malloc(size));
      memset(blocks.back(), 1, size < 8192 ? size : 8192);
    }
    for (void* block : blocks) {
      errno = 4711;
      free(block);
      ASSERT_EQ(errno, 4711) << size;
    }
    void* block = memalign(4096, size);
    errno = 4711;
    free(block);
    ASSERT_EQ(errno, 4711) << size;
    block = ::operator new(size);
    errno = 4711;
    ::operator delete(block);
    ASSERT_EQ(errno, 4711) << size;
  }
  errno = 4711;
  free(nullptr);
  EXPECT_EQ(errno, 4711);
}

TEST(SizesTest, SuccessLeavesErrnoAlone) {
  for (size_t size : {0, 16, 1000, 40000, 3000000}) {
    errno = 4711;
    void* block = malloc(size);
    ASSERT_EQ(errno, 4711) << size;
    block = realloc(block, size * 3 + 1);
    ASSERT_EQ(errno, 4711) << size;
    free(block);
    block = calloc(1, size);
    ASSERT_EQ(errno, 4711) << size;
    free(block);
    block = memalign(1024, size);
    ASSERT_EQ(errno, 4711) << size;
    free(block);
  }
}

}  // namespace
