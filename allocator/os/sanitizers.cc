#include "allocator/os/sanitizers.h"

// What every runtime defines. Weak: null in a process without one. Known to the dynamic linker
// before anything of the runtime runs, so the first malloc of a process already sees it.
extern "C" {
__attribute__((weak)) void __asan_init();
__attribute__((weak)) void __tsan_init();
}

namespace prairie {
namespace {

struct AddressRange {
  uintptr_t begin, end;
  bool contains(uintptr_t address, size_t size) const {
    return address >= begin && address < end && size <= end - address;
  }
};

#if defined(__x86_64__)
// Source: compiler-rt, asan_mapping.h (HighMem; what is below 2 GiB is of no use here) and
// tsan_platform.h (LoAppMem as it was before it grew to 2 TiB, and HiAppMem). Between these ranges
// lie shadow memory and gaps, in which a stray pointer is to fault.
constexpr AddressRange kAddressSanitizerLeaves[] = {{0x10007fff8000, 0x800000000000}};
constexpr AddressRange kThreadSanitizerLeaves[] = {{0x1000, 0x8000000000},
                                                   {0x7e8000000000, 0x800000000000}};
#else
// The places differ from kernel to kernel: only what the kernel chooses is sure.
constexpr AddressRange kAddressSanitizerLeaves[] = {{0, 0}};
constexpr AddressRange kThreadSanitizerLeaves[] = {{0, 0}};
#endif

template <size_t n>
bool AnyContains(const AddressRange (&ranges)[n], uintptr_t address, size_t size) {
  for (const AddressRange& range : ranges) {
    if (range.contains(address, size)) return true;
  }
  return false;
}

}  // namespace

Sanitizer SanitizerInProcess() {
  if (__tsan_init != nullptr) return Sanitizer::kThread;
  return __asan_init != nullptr ? Sanitizer::kAddress : Sanitizer::kNone;
}

bool SanitizerLeaves(Sanitizer sanitizer, uintptr_t address, size_t size) {
  if (sanitizer == Sanitizer::kNone) return true;
  return sanitizer == Sanitizer::kThread ? AnyContains(kThreadSanitizerLeaves, address, size)
                                         : AnyContains(kAddressSanitizerLeaves, address, size);
}

}  // namespace prairie
