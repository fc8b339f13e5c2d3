// A program with a malloc of its own, as one that is linked with another allocator: what it does
// not define itself goes by way of what it does.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "tests/surface/surface.h"

namespace {

constexpr size_t kPoolSize = size_t{32} << 20;
constexpr size_t kHeader = 16;  // with the size of the block
alignas(kHeader) char pool[kPoolSize];
size_t used = 0;

bool InPool(const void* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  const auto begin = reinterpret_cast<uintptr_t>(pool);
  return address >= begin && address < begin + kPoolSize;
}

// Nothing is used twice. One thread.
void* Take(size_t size) {
  if (size > kPoolSize - kHeader - used) return nullptr;
  char* const block = pool + used + kHeader;
  memcpy(block - kHeader, &size, sizeof size);
  used += kHeader + (size + kHeader - 1) / kHeader * kHeader;
  if (used > kPoolSize) used = kPoolSize;
  return block;
}

}  // namespace

extern "C" {

void* malloc(size_t size) noexcept { return Take(size); }
void free(void*) noexcept {}
void* calloc(size_t count, size_t size) noexcept { return Take(count * size); }
void* realloc(void* block, size_t size) noexcept {
  void* const larger = Take(size);
  if (block == nullptr || larger == nullptr) return larger;
  size_t old_size;
  memcpy(&old_size, static_cast<char*>(block) - kHeader, sizeof old_size);
  memcpy(larger, block, old_size < size ? old_size : size);
  return larger;
}

}  // extern "C"

namespace {

TEST(OwnMallocTest, ReallocarrayIsTheProgramsRealloc) {
  void* block = malloc(100);
  ASSERT_TRUE(InPool(block));
  Fill(block, 100, 1);
  block = reallocarray(block, 100, 10);
  EXPECT_TRUE(InPool(block));
  EXPECT_TRUE(Holds(block, 100, 1));
  EXPECT_TRUE(InPool(reallocarray(nullptr, 3, 7)));
  errno = 0;
  EXPECT_EQ(reallocarray(block, Opaque(SIZE_MAX / 2), 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

}  // namespace
