// Alignments from 1 byte to 4 GiB through every entry point that takes one, and those that are
// none.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "tests/support/needs.h"
#include "tests/surface/surface.h"

namespace {

struct EntryPoint {
  std::string name;
  std::function<void*(size_t alignment, size_t size)> allocate;
  std::function<void(void*, size_t alignment, size_t size)> release;
  size_t smallest_alignment;
};

void Free(void* block, size_t, size_t) { free(block); }

void* PosixMemalign(size_t alignment, size_t size) {
  void* block = nullptr;
  return posix_memalign(&block, alignment, size) == 0 ? block : nullptr;
}

std::vector<EntryPoint> EntryPoints() {
  using std::align_val_t;
  std::vector<EntryPoint> all = {
      {"memalign", memalign, Free, 1},
      {"aligned_alloc", aligned_alloc, Free, 1},
      {"posix_memalign", PosixMemalign, Free, sizeof(void*)},
      {"new", [](size_t a, size_t n) { return ::operator new (n, align_val_t{a}); },
       [](void* p, size_t a, size_t) { ::operator delete (p, align_val_t{a}); }, 1},
      {"new[]", [](size_t a, size_t n) { return ::operator new[](n, align_val_t{a}); },
       [](void* p, size_t a, size_t) { ::operator delete[](p, align_val_t{a}); }, 1},
      {"new nothrow",
       [](size_t a, size_t n) { return ::operator new (n, align_val_t{a}, std::nothrow); },
       [](void* p, size_t a, size_t n) { ::operator delete (p, n, align_val_t{a}); }, 1},
      {"new[] nothrow",
       [](size_t a, size_t n) { return ::operator new[](n, align_val_t{a}, std::nothrow); },
       [](void* p, size_t a, size_t n) { ::operator delete[](p, n, align_val_t{a}); }, 1},
  };
  if (auto* function = Symbol<void*(size_t, size_t)>("__libc_memalign")) {
    all.push_back({"__libc_memalign", function, Free, 1});
  }
  if (auto* function = Symbol<int(void**, size_t, size_t)>("__posix_memalign")) {
    all.push_back({"__posix_memalign",
                   [function](size_t alignment, size_t size) {
                     void* block = nullptr;
                     return function(&block, alignment, size) == 0 ? block : nullptr;
                   },
                   Free, sizeof(void*)});
  }
  return all;
}

// As much as there is room for.
constexpr size_t kMostAlignment = static_cast<size_t>(kNarrowAddresses ? 1ULL << 30 : 1ULL << 32);

class AlignmentTest : public testing::TestWithParam<EntryPoint> {};

INSTANTIATE_TEST_SUITE_P(All, AlignmentTest, testing::ValuesIn(EntryPoints()), [](const auto& one) {
  std::string name;
  for (char c : one.param.name) {
    if (isalnum(c) || c == '_') name += c;
    if (c == '[') name += "Array";
  }
  return name;
});

TEST_P(AlignmentTest, FromOneByteToGigabytes) {
  PRAIRIE_NEEDS_MEMORY(128, "a block for each alignment up to 4 GiB");
  const EntryPoint& entry = GetParam();
  for (size_t alignment = entry.smallest_alignment; alignment <= kMostAlignment; alignment *= 2) {
    for (size_t size :
         {size_t{0}, size_t{1}, size_t{24}, size_t{1000}, size_t{100000}, size_t{5000000}}) {
      auto* block = static_cast<unsigned char*>(entry.allocate(alignment, size));
      ASSERT_NE(block, nullptr) << alignment << ", " << size;
      ASSERT_TRUE(IsAligned(block, alignment)) << static_cast<void*>(block) << " for " << alignment;
      ASSERT_GE(malloc_usable_size(block), size);
      if (size > 0) {
        block[0] = 1;
        block[size - 1] = 2;
      }
      entry.release(block, alignment, size);
    }
  }
}

TEST_P(AlignmentTest, LiveBlocksDoNotOverlap) {
  PRAIRIE_NEEDS_MEMORY(128, "hundreds of aligned blocks at once");
  const EntryPoint& entry = GetParam();
  struct Block {
    void* address;
    size_t alignment;
    size_t size;
  };
  std::vector<Block> blocks;
  for (int round = 0; round < 20; ++round) {
    for (size_t alignment = entry.smallest_alignment; alignment <= size_t{1} << 20;
         alignment *= 2) {
      const size_t size = 1 + (blocks.size() * 997) % 3000;
      void* block = entry.allocate(alignment, size);
      ASSERT_NE(block, nullptr);
      ASSERT_TRUE(IsAligned(block, alignment));
      Fill(block, size, static_cast<unsigned>(blocks.size()));
      blocks.push_back({block, alignment, size});
    }
  }
  for (unsigned i = 0; i < blocks.size(); ++i) {
    ASSERT_TRUE(Holds(blocks[i].address, blocks[i].size, i)) << i;
    entry.release(blocks[i].address, blocks[i].alignment, blocks[i].size);
  }
}

TEST_P(AlignmentTest, AllAlignmentsAliveAtOnce) {
  PRAIRIE_NEEDS_MEMORY(128, "a block for each alignment up to 4 GiB");
  const EntryPoint& entry = GetParam();
  std::vector<std::pair<void*, size_t>> blocks;
  for (size_t alignment = entry.smallest_alignment; alignment <= kMostAlignment; alignment *= 2) {
    void* block = entry.allocate(alignment, 5000);
    ASSERT_NE(block, nullptr) << alignment;
    ASSERT_TRUE(IsAligned(block, alignment));
    Fill(block, 5000, static_cast<unsigned>(blocks.size()));
    blocks.emplace_back(block, alignment);
  }
  for (unsigned i = 0; i < blocks.size(); ++i) ASSERT_TRUE(Holds(blocks[i].first, 5000, i)) << i;
  for (auto [block, alignment] : blocks) entry.release(block, alignment, 5000);
}

TEST(AlignmentRulesTest, PosixMemalignRefusesOthers) {
  for (size_t alignment :
       {size_t{0}, size_t{1}, size_t{2}, sizeof(void*) / 2, size_t{3}, size_t{12}, size_t{24},
        size_t{100}, kMostAlignment + 8, SIZE_MAX, SIZE_MAX - 7}) {
    void* block = &errno;
    errno = 4711;
    EXPECT_EQ(posix_memalign(&block, Opaque(alignment), 100), EINVAL) << alignment;
    EXPECT_EQ(errno, 4711) << "posix_memalign returns its error";
    EXPECT_EQ(block, &errno) << "posix_memalign wrote its result when it failed";
  }
}

TEST(AlignmentRulesTest, PosixMemalignReturnsEnomemWithoutErrno) {
  if (!UnderPrairie())
    GTEST_SKIP() << "not under Prairie: glibc 2.36 sets errno too, as POSIX lets it";
  void* block = &errno;
  errno = 4711;
  EXPECT_EQ(posix_memalign(&block, 4096, Opaque(TooMuch(60))), ENOMEM);
  EXPECT_EQ(block, &errno);
  EXPECT_EQ(errno, 4711) << "posix_memalign returns its error and leaves errno alone";
}

// As glibc 2.36 does; later ones refuse some in aligned_alloc.
TEST(AlignmentRulesTest, OtherEntryPointsRoundUpToPowersOfTwo) {
  struct Row {
    size_t alignment, rounded;
  };
  for (auto* allocate : {memalign, aligned_alloc}) {
    for (const Row& row : {Row{0, 16}, Row{3, 16}, Row{12, 16}, Row{24, 32}, Row{48, 64},
                           Row{100, 128}, Row{4097, 8192}, Row{100000, 131072}}) {
      for (size_t size : {size_t{100}, size_t{100000}}) {
        void* block = allocate(Opaque(row.alignment), size);
        ASSERT_NE(block, nullptr) << row.alignment;
        EXPECT_TRUE(IsAligned(block, row.rounded)) << row.alignment;
        Fill(block, size, 1);
        free(block);
      }
    }
    for (size_t alignment : {SIZE_MAX / 2 + 2, SIZE_MAX - 7, SIZE_MAX}) {
      errno = 0;
      EXPECT_EQ(allocate(Opaque(alignment), 100), nullptr) << alignment;
      EXPECT_EQ(errno, EINVAL) << alignment;
    }
  }
}

TEST(AlignmentRulesTest, AlignmentsThatNoAddressHasAreRefused) {
  if (kNarrowAddresses) GTEST_SKIP() << "in 32 bits some address has each";
  for (uint64_t wide : {uint64_t{1} << 47, uint64_t{1} << 62, uint64_t{1} << 63}) {
    const size_t alignment = static_cast<size_t>(wide);
    errno = 0;
    EXPECT_EQ(memalign(Opaque(alignment), 100), nullptr) << alignment;
    EXPECT_TRUE(errno == ENOMEM || errno == EINVAL) << errno;
    void* block = nullptr;
    const int error = posix_memalign(&block, Opaque(alignment), 100);
    EXPECT_TRUE(error == ENOMEM || error == EINVAL) << error;
    EXPECT_EQ(::operator new (100, std::align_val_t{Opaque(alignment)}, std::nothrow), nullptr);
  }
}

TEST(AlignmentRulesTest, VallocAndPvallocArePageAligned) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t size :
       {size_t{0}, size_t{1}, page - 1, page, page + 1, 3 * page + 5, size_t{1000000}}) {
    void* block = valloc(size);
    ASSERT_NE(block, nullptr) << size;
    EXPECT_TRUE(IsAligned(block, page));
    Fill(block, size, 1);
    free(block);
    block = pvalloc(size);
    ASSERT_NE(block, nullptr) << size;
    EXPECT_TRUE(IsAligned(block, page));
    const size_t rounded = (size + page - 1) / page * page;
    EXPECT_GE(malloc_usable_size(block), rounded) << "pvalloc rounds up to whole pages";
    Fill(block, rounded, 2);
    EXPECT_TRUE(Holds(block, rounded, 2));
    free(block);
  }
}

}  // namespace
