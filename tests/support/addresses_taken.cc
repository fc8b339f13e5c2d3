// libhint_taken.so and libwindow_taken.so: preloaded into every process of a cell of
// scripts/ulimit-suite, they map pages where the arena would like to be, before the program's own
// code runs.
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace {

constexpr uintptr_t kHint = 0xf800000000;
constexpr uintptr_t kMiB = uintptr_t{1} << 20;
constexpr uintptr_t kGiB = uintptr_t{1} << 30;
// A page of any kernel.
constexpr size_t kSize = size_t{64} << 10;

#ifdef PRAIRIE_TAKE_HINT
constexpr uintptr_t kTaken[] = {kHint};
#else
// Inside the first spans, the first huge pages, the reservation, and far behind it. PROT_NONE, as
// it is for no limit but that of address space.
constexpr uintptr_t kTaken[] = {kHint + kMiB,       kHint + 3 * kMiB + 0x30000, kHint + 20 * kMiB,
                                kHint + 100 * kMiB, kHint + 32 * kGiB,          kHint + 512 * kGiB};
#endif

__attribute__((constructor)) void Take() {
  for (const uintptr_t address : kTaken) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
    void* const wish = reinterpret_cast<void*>(address);
    // Refused where the heap or the program itself lies already. The test of this library sees to
    // it that it is not always.
    void* const got = mmap(wish, kSize, PROT_NONE, flags, -1, 0);
    if (got != wish && got != MAP_FAILED) munmap(got, kSize);
  }
}

}  // namespace
