// malloc_usable_size: at least what was asked for, the same at each call, and truly usable to the
// last byte.
#include <gtest/gtest.h>
#include <malloc.h>

#include <vector>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

struct Block {
  void* address;
  size_t usable;
};

TEST(UsableSizeTest, NullHasNone) { EXPECT_EQ(malloc_usable_size(nullptr), 0U); }

TEST(UsableSizeTest, AllOfItIsOneBlocksOwn) {
  PRAIRIE_NEEDS_MEMORY(128, "some 50 MiB of blocks at once");
  std::vector<Block> blocks;
  auto add = [&](void* address, size_t size) {
    ASSERT_NE(address, nullptr) << size;
    const size_t usable = malloc_usable_size(address);
    ASSERT_GE(usable, size);
    Fill(address, usable, static_cast<unsigned>(blocks.size()));
    blocks.push_back({address, usable});
  };
  for (size_t size = 0; size < 3000; size += 7) {
    add(malloc(size), size);
    add(calloc(size, 1), size);
    add(realloc(nullptr, size), size);
    add(memalign(64, size), size);
  }
  for (size_t size = 3000; size < 3000000; size += size / 4) {
    add(malloc(size), size);
    add(memalign(8192, size), size);
    add(realloc(malloc(size / 2), size), size);
    add(realloc(malloc(size * 2), size), size);
  }
  for (unsigned i = 0; i < blocks.size(); ++i) {
    ASSERT_EQ(malloc_usable_size(blocks[i].address), blocks[i].usable) << "it changed";
    ASSERT_TRUE(Holds(blocks[i].address, blocks[i].usable, i))
        << "someone else has a part of block " << i;
  }
  for (const Block& block : blocks) free(block.address);
}

TEST(UsableSizeTest, StaysTheSameWhileNeighboursComeAndGo) {
  for (size_t size : {40, 1000, 20000, 40000, 300000}) {
    void* block = malloc(size);
    const size_t usable = malloc_usable_size(block);
    std::vector<void*> others;
    for (int i = 0; i < 100; ++i) {
      others.push_back(malloc(size));
      ASSERT_EQ(malloc_usable_size(block), usable);
    }
    for (void* other : others) {
      free(other);
      ASSERT_EQ(malloc_usable_size(block), usable);
    }
    malloc_trim(0);
    ASSERT_EQ(malloc_usable_size(block), usable);
    free(block);
  }
}

}  // namespace
