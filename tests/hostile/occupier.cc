// liboccupier.so: preloaded and initialized before everything else, it maps 64 MiB where the arena
// would like to begin, and looks at the end whether its memory is as it was.
#include <sys/mman.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr size_t kSize = 64 * kMegabyte;
constexpr size_t kStride = 4096;

__attribute__((constructor)) void Occupy() {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  void* const wish = reinterpret_cast<void*>(kArenaHint);
  auto* bytes =
      static_cast<unsigned char*>(mmap(wish, kSize, PROT_READ | PROT_WRITE, flags, -1, 0));
  CHECK(bytes == wish);  // Else someone was here before.
  for (size_t i = 0; i < kSize; i += 256 * kStride) memset(bytes + i, 0x6b, kStride);
}

__attribute__((destructor)) void Look() {
  const auto* bytes = reinterpret_cast<const unsigned char*>(kArenaHint);
  for (size_t i = 0; i < kSize; ++i) CHECK(bytes[i] == (i / kStride % 256 == 0 ? 0x6b : 0));
  Say("intact");
}

}  // namespace
