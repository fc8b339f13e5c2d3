// A program that has a segment of its own at the arena's usual address, from the moment of exec;
// and, since the kernel puts it behind the last segment, its brk area too.
#include <thread>

#include "tests/hostile/hostile.h"

namespace {

constexpr size_t kSize = 65536;

// The linker puts this section at 0xf800000000 (see BUILD.bazel); it is reached by its address
// alone.
__attribute__((section(".occupier"), used)) unsigned char occupier[kSize] = {0x5d};

unsigned char* Segment() {
  unsigned char* volatile address = reinterpret_cast<unsigned char*>(kArenaHint);
  return address;
}

}  // namespace

int main() {
  CHECK(Segment()[0] == 0x5d);
  memset(Segment(), 0x5e, kSize);
  char* brk_memory = static_cast<char*>(sbrk(100000));
  CHECK(brk_memory != reinterpret_cast<char*>(-1));
  memset(brk_memory, 0x5f, 100000);
  Block blocks[2000];
  for (int i = 0; i < 2000; ++i) {
    blocks[i].Allocate(static_cast<size_t>(1 + i * 20), static_cast<unsigned char>(i));
    CHECK(blocks[i].address + blocks[i].size <= Segment() ||
          blocks[i].address >= Segment() + kSize);
  }
  std::thread([] { Churn(1, 20000); }).join();
  Churn(2, 2000, 4 * kMegabyte);
  for (int i = 0; i < 100; ++i) {
    char* more = static_cast<char*>(sbrk(100000));
    if (more == reinterpret_cast<char*>(-1))
      break;  // The heap may stand in its way: that is ENOMEM, no harm.
    memset(more, 0x60, 100000);
  }
  for (Block& block : blocks) block.Free();
  for (size_t i = 0; i < kSize; ++i) CHECK(Segment()[i] == 0x5e);
  for (size_t i = 0; i < 100000; ++i) CHECK(brk_memory[i] == 0x5f);
  return 0;
}
