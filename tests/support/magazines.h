// Free objects and magazines of them, as tests fetch, return and look at them.
#ifndef PRAIRIE_TESTS_SUPPORT_MAGAZINES_H_
#define PRAIRIE_TESTS_SUPPORT_MAGAZINES_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "allocator/central/central_list.h"
#include "allocator/central/magazine.h"
#include "tests/support/test_heap.h"

namespace prairie {

// Up to `most` objects from a central list, lowest first. Fails the test if one is not marked.
inline std::vector<FreeObject*> FetchFrom(CentralList& central, uint32_t most) {
  std::vector<FreeObject*> objects(most);
  objects.resize(central.Fetch(objects.data(), most));
  std::reverse(objects.begin(), objects.end());
  for (FreeObject* object : objects) EXPECT_TRUE(object->IsIntact(TestHeap::kMarkKey));
  return objects;
}

// Marks all as free.
inline void SetFree(const std::vector<FreeObject*>& objects) {
  for (FreeObject* object : objects) object->SetFree(object->FreeMark(TestHeap::kMarkKey));
}

// Marks all as free and returns them to a central list.
inline ListFault ReturnTo(CentralList& central, const std::vector<FreeObject*>& objects) {
  SetFree(objects);
  return central.Return(objects.data(), static_cast<uint32_t>(objects.size()));
}

// A magazine of these objects, each marked as free.
inline Magazine* MagazineOf(TestHeap& heap, const std::vector<FreeObject*>& objects) {
  Magazine* const magazine = heap.magazines().Acquire(static_cast<uint32_t>(objects.size()));
  if (magazine == nullptr) {
    ADD_FAILURE() << "no memory for a magazine";
    return nullptr;
  }
  SetFree(objects);
  std::copy(objects.begin(), objects.end(), magazine->cells());
  magazine->count = static_cast<uint32_t>(objects.size());
  return magazine;
}

inline std::vector<FreeObject*> ObjectsOf(Magazine* magazine) {
  return {magazine->cells(), magazine->cells() + magazine->count};
}

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_MAGAZINES_H_
