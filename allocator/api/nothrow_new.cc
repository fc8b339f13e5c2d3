// The nothrow forms of operator new. A new-handler may throw, and they must catch it: this file
// alone is compiled with exceptions.
#include <new>

#include "allocator/api/allocation.h"
#include "allocator/api/bad_alloc.h"

// What a catch needs of the C++ runtime, weakly: libprairie.so does not pull it into C programs.
extern "C" void __gxx_personality_v0() __attribute__((weak));
asm(".weak __cxa_begin_catch");
asm(".weak __cxa_end_catch");

namespace prairie {
namespace {

template <typename Try>
void* NothrowLoop(Try attempt, NewHandler handler, const void* caller) {
  try {
    for (;;) {
      handler();
      void* const object = attempt();
      if (object != nullptr) return object;
      handler = CurrentNewHandler(caller);
      if (handler == nullptr) return nullptr;
    }
  } catch (...) {
    return nullptr;
  }
}

// `symbol`, `arguments`: the same function in the C++ runtime, for a process in which the runtime
// came by dlopen and nothing here can catch: it calls our throwing form, and catches.
template <typename Try, typename... Arguments>
void* NothrowNew(Try attempt, const void* caller, const char* symbol, Arguments... arguments) {
  void* const object = attempt();
  if (object != nullptr) return object;
  const NewHandler handler = CurrentNewHandler(caller);
  if (handler == nullptr) return nullptr;
  if (&__gxx_personality_v0 != nullptr) return NothrowLoop(attempt, handler, caller);
  void* const theirs = FindInCxxRuntime(symbol, caller);
  if (theirs == nullptr) return nullptr;
  return reinterpret_cast<void* (*)(Arguments..., const std::nothrow_t&)>(theirs)(arguments...,
                                                                                  std::nothrow_t());
}

// Jumped to, since it does not throw: what it returns to is where operator new was called from.
PRAIRIE_NOINLINE void* NothrowNewSlow(size_t size) noexcept {
  return NothrowNew([size] { return AllocateSlow(size); }, __builtin_return_address(0),
                    "_Znw" PRAIRIE_MANGLED_SIZE "RKSt9nothrow_t", size);
}

PRAIRIE_NOINLINE void* NothrowNewAligned(size_t size, std::align_val_t alignment) noexcept {
  if (PRAIRIE_UNLIKELY(!IsPowerOfTwo(static_cast<size_t>(alignment)))) return nullptr;
  return NothrowNew([=] { return AllocateAligned(size, static_cast<size_t>(alignment)); },
                    __builtin_return_address(0),
                    "_Znw" PRAIRIE_MANGLED_SIZE "St11align_val_tRKSt9nothrow_t", size, alignment);
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
