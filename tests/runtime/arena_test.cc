// Mappings inside the arena: pointers into them have a base and a name, and addresses of closed
// ones belong to nobody for a while.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "prairie/mapping.hpp"
#include "prairie/prairie.h"
#include "runtime/guard/closed_regions.h"
#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;

bool ArenaIsReserved() {
  prairie_free(prairie_malloc(1));
  prairie_stats stats;
  EXPECT_EQ(prairie_get_stats(&stats, sizeof stats), 0);
  return stats.reserved_bytes != 0;
}

TEST(ArenaTest, LookupsAnswerForMappings) {
  TemporaryFile file(10 * kPage + 5);
  Result<Mapping> mapping = Mapping::map(file.path(), {.offset = 100});
  ASSERT_TRUE(mapping.ok());
  if (!ArenaIsReserved()) {
    // An arena that reserves no addresses has none to give: the mapping lies outside.
    EXPECT_FALSE(mapping->stats()->in_arena);
    EXPECT_EQ(prairie_owns(mapping->data()), 0);
    EXPECT_EQ(prairie_base_of(mapping->data()), nullptr);
    return;
  }
  EXPECT_TRUE(mapping->stats()->in_arena);
  const std::byte* const begin = mapping->data() - 100;
  for (const size_t at : {size_t{0}, size_t{1}, 5 * kPage, mapping->size() - 1}) {
    EXPECT_EQ(prairie_base_of(mapping->data() + at), begin);
    EXPECT_EQ(prairie_is_live(mapping->data() + at), 1);
    EXPECT_STREQ(prairie_name_of(mapping->data() + at), file.path().c_str());
  }
  EXPECT_EQ(prairie_base_of(begin + 11 * kPage), nullptr) << "behind the last page";
  EXPECT_EQ(prairie_usable_size(begin), 0U);
  const Mapping slice = *mapping->slice({3 * kPage});
  EXPECT_EQ(prairie_base_of(slice.data()), begin);
  EXPECT_FALSE(mapping->close());
  EXPECT_EQ(prairie_base_of(slice.data()), begin) << "slices keep it";
}

TEST(ArenaTest, ClosedAddressesStayOurs) {
  ForgetClosed();
  TemporaryFile file(10 * kPage);
  Mapping mapping = *Mapping::map(file.path());
  const std::byte* const begin = mapping.data();
  EXPECT_FALSE(mapping.close());
  EXPECT_EQ(prairie_is_live(begin), 0);
  const Mapping next = *Mapping::map(file.path());
  if (ArenaIsReserved()) {
    EXPECT_NE(next.data(), begin) << "in quarantine";
  }
  // Released in the end: mapping and closing for ever does not use up the arena.
  prairie_stats before, after;
  prairie_get_stats(&before, sizeof before);
  for (int i = 0; i < 2000; ++i) ASSERT_FALSE(Mapping::map(file.path())->close());
  prairie_get_stats(&after, sizeof after);
  EXPECT_LT(after.arena_end - before.arena_end, size_t{64} << 20);
  ForgetClosed();
  EXPECT_TRUE(HasPattern(next.bytes()));
}

TEST(ArenaTest, OutsideEverythingElseWorks) {
  TemporaryFile file(10 * kPage);
  Mapping mapping = *Mapping::map(file.path(), {.in_arena = false});
  EXPECT_FALSE(mapping.stats()->in_arena);
  EXPECT_EQ(prairie_owns(mapping.data()), 0);
  EXPECT_EQ(prairie_base_of(mapping.data()), nullptr);
  EXPECT_EQ(prairie_name_of(mapping.data()), nullptr);
  EXPECT_TRUE(HasPattern(mapping.bytes()));
  EXPECT_FALSE(mapping.close());
}

TEST(ArenaTest, HeapAndMappingsShareIt) {
  TemporaryFile file(300 * kPage);
  std::vector<Mapping> mappings;
  std::vector<void*> objects;
  for (int i = 0; i < 100; ++i) {
    mappings.push_back(*Mapping::map(file.path(), {.length = (i + 1) * 3 * 4096}));
    objects.push_back(prairie_malloc(static_cast<size_t>(i + 1) * 9000));
    memset(objects.back(), 0xff, static_cast<size_t>(i + 1) * 9000);
    if (i % 2 == 0) mappings.erase(mappings.begin() + i / 4);
    if (i % 8 == 7) ForgetClosed();
  }
  for (const Mapping& mapping : mappings) EXPECT_TRUE(HasPattern(mapping.bytes()));
  for (void* object : objects) prairie_free(object);
  EXPECT_GT(prairie_trim(), 0U);
  for (const Mapping& mapping : mappings) EXPECT_TRUE(HasPattern(mapping.bytes()));
}

}  // namespace
}  // namespace prairie
