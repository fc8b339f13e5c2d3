// Mappings of others around the heap, before it grows and while it grows: they keep their contents,
// and the heap goes on past them.
#include <sys/mman.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr size_t kPage = 4096;
constexpr int kMappings = 400;
constexpr int kBlocks = 6000;

struct Mapping {
  unsigned char* address;
  size_t size;
};
Mapping mappings[kMappings];
int mapping_count = 0;
int near_count = 0;  // Those that got the address in the heap's way that they asked for.
Block blocks[kBlocks];

bool Map(uintptr_t wish, size_t size, int fixed) {
  if (mapping_count == kMappings) return false;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | fixed;
  void* got = mmap(reinterpret_cast<void*>(wish), size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (got == MAP_FAILED) return false;
  memset(got, 0xc3 ^ mapping_count, size);
  mappings[mapping_count++] = {static_cast<unsigned char*>(got), size};
  if (reinterpret_cast<uintptr_t>(got) == wish) ++near_count;
  return true;
}

void VerifyMappings() {
  for (int i = 0; i < mapping_count; ++i) {
    for (size_t j = 0; j < mappings[i].size; j += 64)
      CHECK(mappings[i].address[j] == (0xc3 ^ i % 256));
  }
}

bool Overlap(const Block& block, const Mapping& mapping) {
  return block.address < mapping.address + mapping.size &&
         mapping.address < block.address + block.size;
}

}  // namespace

int main() {
  Block first;
  first.Allocate(100, 1);
  const uintptr_t start = reinterpret_cast<uintptr_t>(first.address) & ~(2 * kMegabyte - 1);
  for (uintptr_t i = 1; i <= 100; ++i)
    Map(start + i * 3 * kMegabyte, i % 5 == 0 ? 40 * kPage : kPage, MAP_FIXED_NOREPLACE);
  for (uintptr_t i = 1; i <= 50; ++i)
    Map(start + i * 10 * kMegabyte + 5 * kMegabyte, kPage, 0);  // A mere hint.

  Random random(1);
  uintptr_t top = 0;
  for (int i = 0; i < kBlocks; ++i) {
    const uint32_t dice = random.Below(100);
    blocks[i].Allocate(dice < 60   ? 64
                       : dice < 97 ? 100000
                                   : 3 * kMegabyte,
                       static_cast<unsigned char>(i));
    const uintptr_t end = reinterpret_cast<uintptr_t>(blocks[i].address) + blocks[i].size;
    if (end > top) top = end;
    // Right before where the heap would go next.
    if (i % 40 == 0) Map((top + 64 * kKilobyte) & ~(kPage - 1), kPage, MAP_FIXED_NOREPLACE);
    if (i % 40 == 20) Map((top + 3 * kMegabyte) & ~(kPage - 1), kPage, MAP_FIXED_NOREPLACE);
  }
  if (InUnreservedMode()) CHECK(near_count > 10);  // Else nothing was tested.
  VerifyMappings();
  for (const Block& block : blocks) {
    for (int i = 0; i < mapping_count; ++i) CHECK(!Overlap(block, mappings[i]));
  }
  for (int i = 0; i < kBlocks; i += 2) blocks[i].Free();
  for (int i = 0; i < mapping_count; i += 2)
    CHECK(munmap(mappings[i].address, mappings[i].size) == 0);
  for (int i = 0; i < mapping_count; i += 2) mappings[i].size = 0;
  for (int i = 0; i < kBlocks; i += 2) blocks[i].Allocate(50000, static_cast<unsigned char>(i));
  Churn(2, 20000);
  for (Block& block : blocks) block.Free();
  VerifyMappings();
  first.Free();
  return 0;
}
