// The nothrow forms of operator new. A new-handler may throw, and they must catch it: this file
// alone is compiled with exceptions.
#include <new>

#include "allocator/api/allocation.h"
#include "allocator/api/bad_alloc.h"

// What a catch needs of the C++ runtime, weakly: libprairie.so does not pull it into C programs. A
// process whose runtime came by dlopen has them as null; there a handler's exception passes through
// instead of being caught.
asm(".weak __gxx_personality_v0");
asm(".weak __cxa_begin_catch");
asm(".weak __cxa_end_catch");

namespace prairie {
namespace {

template <typename Try>
void* NothrowLoop(Try attempt) {
  try {
    for (;;) {
      void* const object = attempt();
      if (object != nullptr) return object;
      const NewHandler handler = CurrentNewHandler();
      if (handler == nullptr) return nullptr;
      handler();
    }
  } catch (...) {
    return nullptr;
  }
}

PRAIRIE_NOINLINE void* NothrowNewSlow(size_t size) {
  return NothrowLoop([size] { return AllocateSlow(size); });
}

void* NothrowNewAligned(size_t size, std::align_val_t alignment) {
  return NothrowLoop([=] { return AllocateAligned(size, static_cast<size_t>(alignment)); });
}

}  // namespace
}  // namespace prairie

PRAIRIE_EXPORT void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return prairie::Allocate<prairie::NothrowNewSlow>(size);
}
PRAIRIE_EXPORT void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return prairie::Allocate<prairie::NothrowNewSlow>(size);
}
PRAIRIE_EXPORT void* operator new(size_t size, std::align_val_t alignment,
                                  const std::nothrow_t&) noexcept {
  return prairie::NothrowNewAligned(size, alignment);
}
PRAIRIE_EXPORT void* operator new[](size_t size, std::align_val_t alignment,
                                    const std::nothrow_t&) noexcept {
  return prairie::NothrowNewAligned(size, alignment);
}
