// Questions about pointers whose objects are gone, wherever their memory has gone since: an answer,
// and never a fault. The questions are Prairie's own and malloc_usable_size, which with another
// malloc may do anything on such pointers.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/surface/surface.h"

namespace {

constexpr size_t kMegabyte = 1 << 20;

class StalePointersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!UnderPrairie()) GTEST_SKIP() << "not under Prairie: nobody else answers";
    is_live_ = Symbol<int(const void*)>("prairie_is_live");
    size_of_ = Symbol<size_t(const void*)>("prairie_size_of");
    base_of_ = Symbol<void*(const void*)>("prairie_base_of");
    owns_ = Symbol<int(const void*)>("prairie_owns");
    trim_ = Symbol<size_t()>("prairie_trim");
    ASSERT_TRUE(is_live_ && size_of_ && base_of_ && owns_ && trim_);
  }

  // No object has the address, as all questions say.
  void ExpectGone(const char* pointer) const {
    EXPECT_EQ(is_live_(pointer), 0) << static_cast<const void*>(pointer);
    EXPECT_EQ(size_of_(pointer), 0U);
    EXPECT_EQ(base_of_(pointer), nullptr);
    EXPECT_EQ(malloc_usable_size(const_cast<char*>(pointer)), 0U);
    EXPECT_EQ(owns_(pointer), 1);
  }
  void ExpectLive(const char* pointer, size_t size) const {
    EXPECT_EQ(is_live_(pointer), 1) << static_cast<const void*>(pointer);
    EXPECT_EQ(base_of_(pointer + size - 1), pointer);
    EXPECT_EQ(malloc_usable_size(const_cast<char*>(pointer)), size_of_(pointer));
  }

  int (*is_live_)(const void*) = nullptr;
  size_t (*size_of_)(const void*) = nullptr;
  void* (*base_of_)(const void*) = nullptr;
  int (*owns_)(const void*) = nullptr;
  size_t (*trim_)() = nullptr;
};

std::vector<char*> Blocks(size_t size, size_t total) {
  std::vector<char*> blocks;
  while (blocks.size() * size < total) {
    blocks.push_back(static_cast<char*>(malloc(size)));
    EXPECT_NE(blocks.back(), nullptr);
    memset(blocks.back(), 0x77, size);
  }
  return blocks;
}

bool Contains(const std::vector<char*>& blocks, const char* block) {
  return std::find(blocks.begin(), blocks.end(), block) != blocks.end();
}

// What was freed last lies in caches, what came before in spans or is gone, then all is given back.
TEST_F(StalePointersTest, OfEverySizeAndWhereverTheyLie) {
  for (const size_t size : {16UL, 100UL, 1000UL, 8000UL, 32768UL, 40000UL, 300000UL, 5000000UL}) {
    SCOPED_TRACE(size);
    const std::vector<char*> blocks = Blocks(size, 6 * kMegabyte);
    for (char* block : blocks) ExpectLive(block, size);
    for (char* block : blocks) free(block);
    for (int trimmed = 0; trimmed < 2; ++trimmed) {
      for (const char* block : blocks) {
        ExpectGone(block);
        ExpectGone(block + 1);
        ExpectGone(block + size / 2);
        ExpectGone(block + size - 1);
      }
      if (trimmed == 0) {
        EXPECT_GT(trim_(), 0U);
      }
    }
  }
}

TEST_F(StalePointersTest, BesideLiveNeighbours) {
  for (const size_t size : {48UL, 2000UL, 50000UL}) {
    SCOPED_TRACE(size);
    const std::vector<char*> blocks = Blocks(size, 4 * kMegabyte);
    for (size_t i = 0; i < blocks.size(); i += 2) free(blocks[i]);
    trim_();
    for (size_t i = 0; i < blocks.size(); ++i) {
      i % 2 == 0 ? ExpectGone(blocks[i]) : ExpectLive(blocks[i], size);
    }
    for (size_t i = 1; i < blocks.size(); i += 2) free(blocks[i]);
  }
}

// The memory of small objects becomes a large one's, and the reverse. Where a page now has small
// objects, malloc_usable_size may take a place that was never handed out for one of them.
TEST_F(StalePointersTest, WhenTheirPagesHaveAnotherPurpose) {
  const std::vector<char*> blocks = Blocks(64, 10 * kMegabyte);
  for (char* block : blocks) free(block);
  trim_();
  const std::vector<char*> large = Blocks(2 * kMegabyte, 10 * kMegabyte);
  size_t inside = 0;
  for (char* block : blocks) {
    char* const base = static_cast<char*>(base_of_(block));
    if (size_of_(block) != 2 * kMegabyte) continue;  // The test's own little things.
    ++inside;
    EXPECT_TRUE(Contains(large, base));
    EXPECT_EQ(malloc_usable_size(block), block == base ? 2 * kMegabyte : 0U);
  }
  EXPECT_GT(inside, blocks.size() / 2);
  for (char* block : large) free(block);
  trim_();
  const std::vector<char*> small = Blocks(640, 10 * kMegabyte);
  inside = 0;
  for (char* block : large) {
    for (size_t offset = 0; offset < 2 * kMegabyte; offset += 5000) {
      malloc_usable_size(block + offset);
      char* const base = static_cast<char*>(base_of_(block + offset));
      if (size_of_(block + offset) != 640) continue;
      ++inside;
      EXPECT_LE(base, block + offset);
      EXPECT_GT(base + 640, block + offset);
    }
  }
  EXPECT_GT(inside, 10 * kMegabyte / 5000 / 2);
  for (char* block : small) free(block);
}

// Prairie's own questions, unlike malloc_usable_size, may be asked while others free.
TEST_F(StalePointersTest, WhileAnotherThreadFreesAndTrims) {
  const std::vector<char*> places = Blocks(64, 4 * kMegabyte);
  for (char* place : places) free(place);
  std::atomic<bool> done{false};
  std::atomic<size_t> live{0}, gone{0};
  std::thread asker([&] {
    do {
      for (const char* place : places) {
        const char* const base = static_cast<char*>(base_of_(place));
        EXPECT_LE(base, place);
        (base != nullptr ? live : gone).fetch_add(1, std::memory_order_relaxed);
        size_of_(place);
        is_live_(place);
      }
    } while (!done);
  });
  // Until both answers were seen often, and then some.
  for (int round = 0; round < 40 || live < 10000 || gone < 10000; ++round) {
    const size_t sizes[] = {64, 3000, 100000, 48};
    const std::vector<char*> blocks = Blocks(sizes[round % 4], 4 * kMegabyte);
    for (char* block : blocks) free(block);
    trim_();
  }
  done = true;
  asker.join();
}

}  // namespace
