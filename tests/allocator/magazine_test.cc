// The store of empty magazines.
#include "allocator/central/magazine.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/test_heap.h"
#include "tests/support/test_heap_modes.h"

namespace prairie {
namespace {

class MagazineTest : public TestWithHeap {
 protected:
  MagazineStore& store() { return heap().magazines(); }
};

// Keys are odd; before the heap is initialized, when the C library may allocate already, it is 0.
TEST(NoObjectTest, IsNotIntactWhateverTheKey) {
  EXPECT_FALSE(no_object.IsIntact(0));
  for (uintptr_t bit = 1; bit != 0; bit <<= 1) {
    EXPECT_FALSE(no_object.IsIntact(bit | 1));
    EXPECT_FALSE(no_object.IsIntact(~bit | 1));
  }
}

TEST_P(MagazineTest, HoldsWhatWasAskedForAndIsEmpty) {
  for (uint32_t capacity = 1; capacity <= MagazineStore::kLargest; ++capacity) {
    Magazine* const magazine = store().Acquire(capacity);
    ASSERT_NE(magazine, nullptr);
    EXPECT_GE(magazine->capacity, capacity);
    EXPECT_LE(magazine->capacity, 2 * capacity + 13) << "a cache line holds so many";
    EXPECT_EQ(magazine->count, 0U);
    EXPECT_EQ(magazine->cells()[-1], &no_object) << "below the first cell";
  }
}

TEST_P(MagazineTest, MagazinesDoNotOverlapAndAreReused) {
  std::set<Magazine*> all;
  for (uint32_t capacity = 1; capacity <= MagazineStore::kLargest; ++capacity) {
    Magazine* const magazine = store().Acquire(capacity);
    for (uint32_t i = 0; i < magazine->capacity; ++i) {
      magazine->cells()[i] = reinterpret_cast<FreeObject*>(magazine);
    }
    EXPECT_TRUE(all.insert(magazine).second);
  }
  for (Magazine* magazine : all) {
    for (uint32_t i = 0; i < magazine->capacity; ++i) {
      ASSERT_EQ(magazine->cells()[i], reinterpret_cast<FreeObject*>(magazine));
    }
    store().Release(magazine);
  }
  const size_t metadata = heap().metadata().committed_bytes();
  for (uint32_t capacity = 1; capacity <= MagazineStore::kLargest; ++capacity) {
    Magazine* const magazine = store().Acquire(capacity);
    EXPECT_EQ(all.erase(magazine), 1U);
    EXPECT_GE(magazine->capacity, capacity);
    EXPECT_EQ(magazine->cells()[-1], &no_object);
  }
  EXPECT_EQ(heap().metadata().committed_bytes(), metadata);
}

TEST_P(MagazineTest, WithoutMemoryThereIsNone) {
  heap().os().FailFromNth(1);
  while (store().Acquire(MagazineStore::kLargest) != nullptr) {
  }
  EXPECT_EQ(store().Acquire(MagazineStore::kLargest), nullptr);
  heap().os().Heal();
  EXPECT_NE(store().Acquire(MagazineStore::kLargest), nullptr);
  store().Release(nullptr);
}

INSTANTIATE_HEAP_MODES(MagazineTest);

}  // namespace
}  // namespace prairie
