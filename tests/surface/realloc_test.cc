// realloc and reallocarray: contents, special arguments, failure.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <random>
#include <vector>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

TEST(ReallocTest, KeepsContentsFromEverySizeToEverySize) {
  const std::vector<size_t> sizes = {0,      1,      8,       16,      17,      100,    128,
                                     129,    1000,   4096,    8191,    8192,    8193,   16384,
                                     32767,  32768,  32769,   40960,   65536,   100000, 131072,
                                     250000, 524288, 1000000, 1048577, 2500000, 5000000};
  for (size_t from : sizes) {
    for (size_t to : sizes) {
      if (to == 0) continue;
      void* block = malloc(from);
      ASSERT_NE(block, nullptr);
      Fill(block, from, 3);
      block = realloc(block, to);
      ASSERT_NE(block, nullptr) << from << " to " << to;
      ASSERT_TRUE(IsAligned(block, 16));
      ASSERT_GE(malloc_usable_size(block), to);
      ASSERT_TRUE(Holds(block, std::min(from, to), 3)) << from << " to " << to;
      Fill(block, to, 4);
      ASSERT_TRUE(Holds(block, to, 4));
      free(block);
    }
  }
}

TEST(ReallocTest, RandomWalkOfManyBlocks) {
  struct Block {
    void* address = nullptr;
    size_t size = 0;
  };
  std::vector<Block> blocks(64);
  std::mt19937 random(1);
  for (int step = 0; step < 20000; ++step) {
    const auto i = static_cast<unsigned>(random() % blocks.size());
    Block& block = blocks[i];
    const size_t size = 1 + random() % (size_t{1} << (4 + random() % 16));
    auto* moved = static_cast<unsigned char*>(realloc(block.address, size));
    ASSERT_NE(moved, nullptr);
    ASSERT_TRUE(Holds(moved, std::min(size, block.size), i)) << block.size << " to " << size;
    block = {moved, size};
    Fill(moved, size, i);
  }
  for (const Block& block : blocks) free(block.address);
}

TEST(ReallocTest, GrowsByteByByte) {
  char* text = nullptr;
  for (size_t size = 1; size <= 70000; ++size) {
    text = static_cast<char*>(realloc(text, size));
    ASSERT_NE(text, nullptr);
    text[size - 1] = static_cast<char>(size % 251);
  }
  for (size_t size = 1; size <= 70000; ++size)
    ASSERT_EQ(text[size - 1], static_cast<char>(size % 251));
  free(text);
}

TEST(ReallocTest, LargeBlocksGrowAndShrinkBetweenNeighbours) {
  PRAIRIE_NEEDS_MEMORY(128, "large blocks and their neighbours");
  constexpr size_t kStep = size_t{1} << 20;
  void* block = malloc(kStep);
  Fill(block, kStep, 5);
  std::vector<void*> neighbours;
  for (size_t size = 2 * kStep; size <= 48 * kStep; size += size / 2) {
    block = realloc(block, size);
    ASSERT_NE(block, nullptr);
    ASSERT_TRUE(Holds(block, kStep, 5)) << size;
    static_cast<char*>(block)[size - 1] = 1;
    neighbours.push_back(malloc(kStep / 2));
    memset(neighbours.back(), 0xee, kStep / 2);
  }
  for (size_t size = 48 * kStep; size > kStep; size -= size / 3) {
    block = realloc(block, size);
    ASSERT_NE(block, nullptr);
    ASSERT_TRUE(Holds(block, std::min(size, kStep), 5)) << size;
  }
  for (void* neighbour : neighbours) {
    for (size_t i = 0; i < kStep / 2; i += 512)
      ASSERT_EQ(static_cast<unsigned char*>(neighbour)[i], 0xee);
    free(neighbour);
  }
  free(block);
}

TEST(ReallocTest, HugeBlockMovesWithEveryPage) {
  PRAIRIE_NEEDS_MEMORY(512, "a block that grows to 192 MiB");
  const size_t size = size_t{64} << 20;
  auto* block = static_cast<unsigned char*>(malloc(size));
  ASSERT_NE(block, nullptr);
  for (size_t i = 0; i < size; i += 512) block[i] = PatternByte(i >> 9, 6);
  void* wall = malloc(1 << 20);
  block = static_cast<unsigned char*>(realloc(block, 3 * size));
  ASSERT_NE(block, nullptr);
  for (size_t i = 0; i < size; i += 512) ASSERT_EQ(block[i], PatternByte(i >> 9, 6)) << i;
  for (size_t i = size; i < 3 * size; i += 4096) block[i] = 1;
  block = static_cast<unsigned char*>(realloc(block, size / 4));
  ASSERT_NE(block, nullptr);
  for (size_t i = 0; i < size / 4; i += 512) ASSERT_EQ(block[i], PatternByte(i >> 9, 6)) << i;
  free(wall);
  free(block);
}

TEST(ReallocTest, NullIsMalloc) {
  for (size_t size : {1, 100, 100000}) {
    void* block = realloc(nullptr, size);
    ASSERT_NE(block, nullptr);
    Fill(block, size, 1);
    free(block);
    block = reallocarray(nullptr, size, 3);
    ASSERT_NE(block, nullptr);
    Fill(block, size * 3, 1);
    free(block);
  }
}

TEST(ReallocTest, ZeroFrees) {
  for (size_t size : {0, 100, 100000, 10000000}) {
    void* block = malloc(size);
    EXPECT_EQ(realloc(block, Opaque(size_t{0})), nullptr);
    block = malloc(size);
    EXPECT_EQ(reallocarray(block, Opaque(size_t{0}), 8), nullptr);
  }
  // It freed them: a million rounds of 64 KiB do not fill the memory.
  for (int i = 0; i < 1000000; ++i) {
    void* block = malloc(65536);
    ASSERT_NE(block, nullptr);
    static_cast<char*>(block)[0] = 1;
    ASSERT_EQ(realloc(block, Opaque(size_t{0})), nullptr);
  }
}

TEST(ReallocTest, FailureLeavesTheBlock) {
  for (size_t size : {10, 1000, 100000, 3000000}) {
    void* block = malloc(size);
    Fill(block, size, 8);
    for (size_t too_much : {size_t{PTRDIFF_MAX} + 1, SIZE_MAX, SIZE_MAX - 4096, TooMuch(50),
                            kNarrowAddresses ? SIZE_MAX - 1 : size_t{PTRDIFF_MAX}}) {
      errno = 0;
      EXPECT_EQ(realloc(block, Opaque(too_much)), nullptr);
      EXPECT_EQ(errno, ENOMEM);
      ASSERT_TRUE(Holds(block, size, 8)) << size;
    }
    block = realloc(block, size * 2);
    ASSERT_TRUE(Holds(block, size, 8));
    free(block);
  }
}

TEST(ReallocTest, AlignedBlocksKeepTheirContents) {
  for (size_t alignment : {32, 256, 4096, 65536, 1 << 20}) {
    for (size_t size : {24, 5000, 100000}) {
      void* block = memalign(alignment, size);
      Fill(block, size, 9);
      block = realloc(block, size * 3);
      ASSERT_NE(block, nullptr);
      ASSERT_TRUE(Holds(block, size, 9));
      Fill(block, size * 3, 10);
      block = realloc(block, size / 2);
      ASSERT_TRUE(Holds(block, size / 2, 10));
      free(block);
    }
  }
}

TEST(ReallocTest, ToTheUsableSizeAndBack) {
  for (size_t size = 1; size < 200000; size += 1 + size / 3) {
    void* block = malloc(size);
    const size_t usable = malloc_usable_size(block);
    Fill(block, usable, 11);
    block = realloc(block, usable);
    ASSERT_TRUE(Holds(block, usable, 11));
    block = realloc(block, size);
    ASSERT_TRUE(Holds(block, size, 11));
    free(block);
  }
}

}  // namespace
