// The C++ API: containers on Prairie's heap while the process keeps its malloc.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "prairie/prairie.hpp"

namespace {

size_t LiveObjects() {
  prairie_stats stats;
  EXPECT_EQ(prairie_get_stats(&stats, sizeof stats), 0);
  return stats.allocated_count;
}

// Whatever a test allocates, it gives back.
class PrairieHppTest : public testing::Test {
 protected:
  void SetUp() override { before_ = LiveObjects(); }
  void TearDown() override { EXPECT_EQ(LiveObjects(), before_); }

 private:
  size_t before_ = 0;
};

TEST_F(PrairieHppTest, AVectorLivesInTheArena) {
  std::vector<int, prairie::Allocator<int>> numbers;
  for (int i = 0; i < 100000; ++i) numbers.push_back(i);
  EXPECT_EQ(prairie_base_of(&numbers[50000]), numbers.data());
  EXPECT_GE(prairie_size_of(numbers.data()), numbers.size() * sizeof(int));
  for (int i = 0; i < 100000; ++i) ASSERT_EQ(numbers[static_cast<size_t>(i)], i);
  const auto copy = numbers;
  EXPECT_EQ(copy, numbers);
}

TEST_F(PrairieHppTest, NodesOfMapsAndLists) {
  std::map<int, int, std::less<>, prairie::Allocator<std::pair<const int, int>>> ordered;
  std::unordered_map<int, int, std::hash<int>, std::equal_to<>,
                     prairie::Allocator<std::pair<const int, int>>>
      hashed;
  std::list<int, prairie::Allocator<int>> list;
  for (int i = 0; i < 2000; ++i) {
    ordered[i * 7919 % 10007] = i;
    hashed[i] = i;
    list.push_front(i);
  }
  for (auto& [key, value] : ordered) ASSERT_EQ(prairie_is_live(&value), 1) << key;
  for (int i = 0; i < 2000; i += 2) ordered.erase(i * 7919 % 10007);
  EXPECT_EQ(ordered.size(), 1000U);
  EXPECT_EQ(hashed.at(1234), 1234);
  list.sort();
  EXPECT_EQ(list.front(), 0);
}

TEST_F(PrairieHppTest, AStringInTheArena) {
  std::basic_string<char, std::char_traits<char>, prairie::Allocator<char>> text(1000, 'x');
  EXPECT_EQ(prairie_owns(text.data()), 1);
}

TEST_F(PrairieHppTest, AllAllocatorsAreEqual) {
  EXPECT_TRUE(prairie::Allocator<int>() == prairie::Allocator<char>());
  static_assert(std::is_nothrow_default_constructible_v<prairie::Allocator<int>>);
  static_assert(std::allocator_traits<prairie::Allocator<int>>::is_always_equal::value);
  prairie::Allocator<int> from = prairie::Allocator<double>();
  int* const number = from.allocate(1);
  prairie::Allocator<int>().deallocate(number, 1);
}

struct alignas(256) Aligned {
  char bytes[256];
};

TEST_F(PrairieHppTest, OverAlignedTypes) {
  std::vector<Aligned, prairie::Allocator<Aligned>> vector(100);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(vector.data()) % 256, 0U);
}

TEST_F(PrairieHppTest, TooMuchThrows) {
  prairie::Allocator<uint64_t> allocator;
  volatile size_t overflowing = std::numeric_limits<size_t>::max() / 8 + 1;
  EXPECT_THROW((void)allocator.allocate(overflowing), std::bad_array_new_length);
  volatile size_t too_large = std::numeric_limits<size_t>::max() / 8;
  EXPECT_THROW((void)allocator.allocate(too_large), std::bad_alloc);
}

TEST_F(PrairieHppTest, PolymorphicContainers) {
  prairie::MemoryResource resource;
  {
    std::pmr::vector<std::pmr::string> texts(&resource);
    for (int i = 0; i < 1000; ++i) texts.emplace_back(std::string(100, 'y'));
    EXPECT_EQ(prairie_is_live(texts.data()), 1);
    EXPECT_EQ(prairie_is_live(texts[500].data()), 1) << "elements use the same resource";
    std::pmr::map<int, int> map(&resource);
    for (int i = 0; i < 1000; ++i) map[i] = i;
    EXPECT_EQ(map.at(77), 77);
  }
  for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    void* const object = resource.allocate(100, alignment);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(object) % alignment, 0U);
    resource.deallocate(object, 100, alignment);
  }
  volatile size_t too_large = std::numeric_limits<ptrdiff_t>::max();
  EXPECT_THROW((void)resource.allocate(too_large), std::bad_alloc);
}

TEST_F(PrairieHppTest, ResourcesAreEqualToEachOtherAndToNoneElse) {
  prairie::MemoryResource one, two;
  EXPECT_TRUE(one == two);
  EXPECT_FALSE(one == *std::pmr::new_delete_resource());
  std::pmr::vector<int> from({1, 2, 3}, &one);
  const int* const data = from.data();
  std::pmr::vector<int> to(std::move(from), &two);
  EXPECT_EQ(to.data(), data) << "equal resources: the memory changes hands";
}

}  // namespace
