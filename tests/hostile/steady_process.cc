// A process that, after a peak, calls seldom and needs no more than its thread's cache holds: what
// was freed goes back all the same, by the few calls that there are.
#include "tests/hostile/hostile.h"

namespace {

constexpr size_t kBlockSize = kMegabyte;
constexpr size_t kBlocks = 80;
// More than a magazine holds, and less than two of them.
constexpr size_t kObjectSize = 64;
constexpr size_t kObjects = 300;

void FillAndEmpty() {
  static void* blocks[kBlocks];
  for (void*& block : blocks) {
    block = malloc(kBlockSize);
    CHECK(block != nullptr);
    memset(block, 1, kBlockSize);
  }
  for (void* block : blocks) free(block);
}

void CallALittle() {
  static void* objects[kObjects];
  for (void*& object : objects) {
    object = malloc(kObjectSize);
    CHECK(object != nullptr);
  }
  for (void* object : objects) free(object);
}

}  // namespace

int main() {
  const size_t at_start = ResidentBytes();
  for (int i = 0; i < 100; ++i) CallALittle();
  FillAndEmpty();
  // A minute at the most.
  for (int i = 0; ResidentBytes() > at_start + 20 * kMegabyte; ++i) {
    CHECK(i < 3000);
    CallALittle();
    usleep(20000);
  }
  return 0;
}
