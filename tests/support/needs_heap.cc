// Skips every test of a program whose process can have no heap at all, instead of letting each
// fail.
#include <gtest/gtest.h>

#include "allocator/heap/heap.h"
#include "tests/support/sanitizers.h"

namespace prairie {
namespace {

class NeedsHeap : public testing::Environment {
 public:
  void SetUp() override {
    // Only where it is known why; elsewhere it is a failure, and the tests will say so.
    if ((kAddressSanitizer || kThreadSanitizer) && !heap.EnsureInitialized()) {
      GTEST_SKIP() << "under this sanitizer none of the addresses that the arena tries is free";
    }
  }
};

[[maybe_unused]] testing::Environment* const needs_heap =
    testing::AddGlobalTestEnvironment(new NeedsHeap);

}  // namespace
}  // namespace prairie
