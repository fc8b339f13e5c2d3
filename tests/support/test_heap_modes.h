// A fixture with a TestHeap, to be instantiated for both modes of the arena and all sizes of OS
// pages.
#ifndef PRAIRIE_TESTS_SUPPORT_TEST_HEAP_MODES_H_
#define PRAIRIE_TESTS_SUPPORT_TEST_HEAP_MODES_H_

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>

#include "tests/support/test_heap.h"

namespace prairie {

// How googletest shows a parameter.
inline void PrintTo(const TestHeapConfig& config, std::ostream* stream) {
  *stream << (config.unreserved ? "unreserved" : "reserved") << ", OS pages of "
          << config.os_page_size / kKiB << " KiB";
}

class TestWithHeap : public testing::TestWithParam<TestHeapConfig> {
 protected:
  void SetUp() override {
    if (kNarrowAddresses && !GetParam().unreserved)
      GTEST_SKIP() << "nothing is reserved in 32 bits";
    NewHeap(GetParam());
  }

  TestHeap& heap() { return *heap_; }

  // Starts again with an empty heap.
  void NewHeap(const TestHeapConfig& config) {
    heap_.reset();
    heap_ = std::make_unique<TestHeap>(config);
  }

 private:
  std::unique_ptr<TestHeap> heap_;
};

inline std::string NameOfMode(const testing::TestParamInfo<TestHeapConfig>& info) {
  return "OsPages" + std::to_string(info.param.os_page_size / kKiB) + "KiB";
}

inline auto ReservedModes() {
  return testing::Values(TestHeapConfig{false, 4 * kKiB}, TestHeapConfig{false, 16 * kKiB},
                         TestHeapConfig{false, 64 * kKiB});
}

inline auto UnreservedModes() {
  return testing::Values(TestHeapConfig{true, 4 * kKiB}, TestHeapConfig{true, 16 * kKiB},
                         TestHeapConfig{true, 64 * kKiB});
}

#define INSTANTIATE_RESERVED_MODES(Fixture) \
  INSTANTIATE_TEST_SUITE_P(Reserved, Fixture, ReservedModes(), NameOfMode)
#define INSTANTIATE_UNRESERVED_MODES(Fixture) \
  INSTANTIATE_TEST_SUITE_P(Unreserved, Fixture, UnreservedModes(), NameOfMode)
#define INSTANTIATE_HEAP_MODES(Fixture)                                     \
  INSTANTIATE_TEST_SUITE_P(Reserved, Fixture, ReservedModes(), NameOfMode); \
  INSTANTIATE_TEST_SUITE_P(Unreserved, Fixture, UnreservedModes(), NameOfMode)

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_TEST_HEAP_MODES_H_
