// Asks for 96 GiB of address space in blocks of 2 GiB, hardly touched: more than the first
// reservation, with mappings of others standing behind it. The heap must get past them or find a
// way around. In 32 bits it is 1.5 GiB in blocks of 256 MiB: mappings of others, and the program
// itself, stand among them.
#include <sys/mman.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kBlocks = kNarrowAddresses ? 6 : 48;
constexpr size_t kSize = kNarrowAddresses ? 256 * kMegabyte : static_cast<size_t>(2ULL << 30);
// Obstacles stand at 64 of these and beyond.
constexpr size_t kUnit = kNarrowAddresses ? 8 * kMegabyte : kGigabyte;
constexpr size_t kPage = 4096;
Block blocks[kBlocks];

unsigned char* MapAt(uintptr_t wish) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  void* got = mmap(reinterpret_cast<void*>(wish), kPage, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  memset(got, 0x99, kPage);
  return static_cast<unsigned char*>(got);
}

}  // namespace

int main() {
  Block small;
  small.Allocate(100, 1);
  const uintptr_t start = reinterpret_cast<uintptr_t>(small.address) & ~(kGigabyte - 1);
  unsigned char* obstacles[] = {MapAt(start + 64 * kUnit), MapAt(start + 66 * kUnit + 5 * kPage),
                                MapAt(start + 96 * kUnit)};
  CHECK(obstacles[0] != nullptr || obstacles[1] != nullptr || obstacles[2] != nullptr);
  for (int i = 0; i < kBlocks; ++i) blocks[i].Allocate(kSize, static_cast<unsigned char>(i));
  for (unsigned char* obstacle : obstacles) {
    if (obstacle == nullptr) continue;
    for (size_t i = 0; i < kPage; ++i) CHECK(obstacle[i] == 0x99);
    for (const Block& block : blocks)
      CHECK(obstacle + kPage <= block.address || obstacle >= block.address + kSize);
  }
  Churn(1, 20000);
  for (Block& block : blocks) block.Free();
  Churn(2, 20000);
  small.Free();
  return 0;
}
