// calloc clears: fresh memory, memory that was dirty, memory that came back from the kernel, of
// every size.
#include <gtest/gtest.h>
#include <malloc.h>

#include <random>
#include <thread>
#include <vector>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

TEST(CallocTest, ClearsDirtyMemoryOfEverySize) {
  for (size_t size = 1; size <= size_t{16} << 20; size += 1 + size / 5) {
    for (int round = 0; round < 3; ++round) {
      void* dirty = malloc(size);
      ASSERT_NE(dirty, nullptr);
      memset(dirty, 0xa5, malloc_usable_size(dirty));
      free(dirty);
      void* clean = calloc(1, size);
      ASSERT_NE(clean, nullptr);
      ASSERT_TRUE(IsZero(clean, size)) << size;
      memset(clean, 0xa5, size);
      free(clean);
    }
  }
}

TEST(CallocTest, ClearsMemoryThatWasSplitAndMerged) {
  std::mt19937 random(2);
  std::vector<void*> blocks(200, nullptr);
  for (int step = 0; step < 6000; ++step) {
    void*& block = blocks[random() % blocks.size()];
    free(block);
    const size_t size = 1 + random() % (size_t{1} << (3 + random() % 18));
    if (random() % 2 == 0) {
      block = malloc(size);
      ASSERT_NE(block, nullptr);
    } else {
      block = calloc(size, 1);
      ASSERT_NE(block, nullptr);
      ASSERT_TRUE(IsZero(block, size)) << size << " in step " << step;
    }
    memset(block, 0x5a, malloc_usable_size(block));
  }
  for (void* block : blocks) free(block);
}

TEST(CallocTest, ClearsAfterTrim) {
  PRAIRIE_NEEDS_MEMORY(128, "32 MiB of blocks, and as much again in holes");
  for (size_t size : {100, 5000, 100000, 4000000}) {
    std::vector<void*> blocks;
    for (size_t total = 0; total < (size_t{32} << 20); total += size) {
      blocks.push_back(malloc(size));
      memset(blocks.back(), 0xff, size);
    }
    for (size_t i = 0; i < blocks.size(); i += 2) free(blocks[i]);
    malloc_trim(0);
    for (size_t i = 0; i < blocks.size(); i += 2) {
      blocks[i] = calloc(1, size);
      ASSERT_TRUE(IsZero(blocks[i], size)) << size;
    }
    for (void* block : blocks) free(block);
  }
}

TEST(CallocTest, ClearsWhatReallocLeftBehind) {
  PRAIRIE_NEEDS_MEMORY(256, "150 MB at once");
  for (size_t size : {1000, 50000, 1000000, 20000000}) {
    void* block = malloc(size);
    memset(block, 0x77, size);
    block = realloc(block, size / 10);
    std::vector<void*> clean;
    for (int i = 0; i < 20; ++i) {
      clean.push_back(calloc(1, size / 3));
      ASSERT_TRUE(IsZero(clean.back(), size / 3)) << size;
    }
    for (void* each : clean) free(each);
    free(block);
  }
}

TEST(CallocTest, ClearsWhatOtherThreadsDirtied) {
  PRAIRIE_NEEDS_MEMORY(64, "threads, each with a stack of 8 MiB");
  for (int round = 0; round < 20; ++round) {
    std::thread([] {
      std::vector<void*> blocks;
      for (int i = 0; i < 2000; ++i) {
        blocks.push_back(malloc(512));
        memset(blocks.back(), 0x33, 512);
      }
      for (void* block : blocks) free(block);
    }).join();
    std::vector<void*> clean;
    for (int i = 0; i < 2000; ++i) {
      clean.push_back(calloc(2, 256));
      ASSERT_TRUE(IsZero(clean.back(), 512));
    }
    for (void* block : clean) {
      memset(block, 0x44, 512);
      free(block);
    }
  }
}

TEST(CallocTest, CountTimesSize) {
  const size_t shapes[][2] = {{1, 1},      {3, 7},       {7, 3},      {100, 1000},
                              {1000, 100}, {1, 1000000}, {1000000, 1}};
  for (const auto& [count, size] : shapes) {
    void* block = calloc(count, size);
    ASSERT_NE(block, nullptr);
    EXPECT_GE(malloc_usable_size(block), count * size);
    EXPECT_TRUE(IsZero(block, count * size));
    free(block);
  }
}

}  // namespace
