// Lists of free objects, taken apart and put together by tests.
#ifndef PRAIRIE_TESTS_SUPPORT_OBJECT_LISTS_H_
#define PRAIRIE_TESTS_SUPPORT_OBJECT_LISTS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "allocator/central/free_object.h"
#include "tests/support/test_heap.h"

namespace prairie {

// The objects of a list, in its order. Fails the test if one does not vouch for its link, or if the
// list is not as long as it says.
inline std::vector<FreeObject*> ObjectsOf(const ObjectList& list) {
  std::vector<FreeObject*> objects;
  FreeObject* object = list.head;
  for (uint32_t i = 0; i < list.count; ++i) {
    EXPECT_NE(object, nullptr) << "the list ends early";
    if (object == nullptr) break;
    EXPECT_TRUE(object->IsFree(TestHeap::kMarkKey));
    objects.push_back(object);
    object = object->next;
  }
  EXPECT_EQ(object, nullptr) << "the list is longer than it says";
  return objects;
}

// The list of these objects in this order, each marked as free.
inline ObjectList ListOf(const std::vector<FreeObject*>& objects) {
  for (size_t i = 0; i < objects.size(); ++i) {
    objects[i]->Link(i + 1 < objects.size() ? objects[i + 1] : nullptr, TestHeap::kMarkKey);
  }
  return {objects.empty() ? nullptr : objects.front(), static_cast<uint32_t>(objects.size())};
}

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_OBJECT_LISTS_H_
