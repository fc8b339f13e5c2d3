// Lowers RLIMIT_AS and RLIMIT_DATA below what is in use, at run time, allocates and frees, and
// raises them again.
#include <sys/resource.h>

#include <initializer_list>

#include "tests/hostile/hostile.h"

namespace {

volatile size_t too_much = kNarrowAddresses ? SIZE_MAX / 16 * 15 : static_cast<size_t>(64ULL << 40);

constexpr int kBlocks = 4000;
Block blocks[kBlocks];

void WithLimitOf(__rlimit_resource_t which, rlim_t bytes) {
  rlimit old;
  CHECK(getrlimit(which, &old) == 0);
  const rlimit tight = {bytes, old.rlim_max};
  for (int i = 0; i < kBlocks; ++i)
    blocks[i].Allocate(static_cast<size_t>(10 + i * 7), static_cast<unsigned char>(i));
  CHECK(setrlimit(which, &tight) == 0);
  // What malloc can still give is its own affair; that it fails cleanly is not.
  for (int i = 0; i < kBlocks; ++i) {
    const auto size = static_cast<size_t>(1 + i * 50);
    errno = 0;
    auto* block = static_cast<unsigned char*>(malloc(size));
    if (block == nullptr) {
      CHECK(errno == ENOMEM);
      continue;
    }
    memset(block, 0xaa, size);
    free(block);
  }
  errno = 0;
  CHECK(malloc(too_much) == nullptr && errno == ENOMEM);
  for (Block& block : blocks) block.Free();
  Block small;  // There is room now: it was just freed.
  small.Allocate(1000, 1);
  small.Free();
  CHECK(setrlimit(which, &old) == 0);
  Churn(1, 20000, 4 * kMegabyte);
  Block big;
  big.Allocate(200 * kMegabyte, 1);
  big.Free();
}

}  // namespace

int main() {
  for (int round = 0; round < 3; ++round) {
    for (const auto which : {RLIMIT_AS, RLIMIT_DATA}) {
      for (const rlim_t bytes :
           {rlim_t{0}, rlim_t{kMegabyte}, rlim_t{30 * kMegabyte}, rlim_t{200 * kMegabyte}}) {
        WithLimitOf(which, bytes);
      }
    }
  }
  return 0;
}
