// The replaceable functions of C++: 8 forms of operator new, 12 of operator delete.
// [new.delete.single], [new.delete.array] of ISO C++20.
#include <new>

#include "allocator/api/allocation.h"
#include "allocator/api/bad_alloc.h"

namespace prairie {
namespace {

// The loop of the standard: try, call the new-handler, try again; without a handler, throw. The
// slow halves below are jumped to, so what they return to is where operator new was called from.
template <typename Try>
void* NewLoop(Try attempt, const void* caller) {
  for (;;) {
    void* const object = attempt();
    if (PRAIRIE_LIKELY(object != nullptr)) return object;
    const NewHandler handler = CurrentNewHandler(caller);
    if (handler == nullptr) ThrowBadAlloc(caller);
    handler();
  }
}

PRAIRIE_NOINLINE void* NewSlow(size_t size) {
  return NewLoop([size] { return AllocateSlow(size); }, __builtin_return_address(0));
}

PRAIRIE_NOINLINE void* NewAligned(size_t size, size_t alignment) {
  const void* const caller = __builtin_return_address(0);
  // As libstdc++: no handler can help.
  if (PRAIRIE_UNLIKELY(!IsPowerOfTwo(alignment))) ThrowBadAlloc(caller);
  return NewLoop([=] { return AllocateAligned(size, alignment); }, caller);
}

PRAIRIE_ALWAYS_INLINE void* New(size_t size) { return Allocate<NewSlow>(size); }

PRAIRIE_ALWAYS_INLINE void Delete(void* pointer) { Free(pointer, Call::kDelete); }

}  // namespace
}  // namespace prairie

PRAIRIE_EXPORT void* operator new(size_t size) { return prairie::New(size); }
PRAIRIE_EXPORT void* operator new[](size_t size) { return prairie::New(size); }
PRAIRIE_EXPORT void* operator new(size_t size, std::align_val_t alignment) {
  return prairie::NewAligned(size, static_cast<size_t>(alignment));
}
PRAIRIE_EXPORT void* operator new[](size_t size, std::align_val_t alignment) {
  return prairie::NewAligned(size, static_cast<size_t>(alignment));
}

PRAIRIE_EXPORT void operator delete(void* pointer) noexcept { prairie::Delete(pointer); }
PRAIRIE_EXPORT void operator delete[](void* pointer) noexcept { prairie::Delete(pointer); }
PRAIRIE_EXPORT void operator delete(void* pointer, size_t) noexcept { prairie::Delete(pointer); }
PRAIRIE_EXPORT void operator delete[](void* pointer, size_t) noexcept { prairie::Delete(pointer); }
PRAIRIE_EXPORT void operator delete(void* pointer, std::align_val_t) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete[](void* pointer, std::align_val_t) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete(void* pointer, size_t, std::align_val_t) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete[](void* pointer, size_t, std::align_val_t) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete(void* pointer, const std::nothrow_t&) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete[](void* pointer, const std::nothrow_t&) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete(void* pointer, std::align_val_t,
                                    const std::nothrow_t&) noexcept {
  prairie::Delete(pointer);
}
PRAIRIE_EXPORT void operator delete[](void* pointer, std::align_val_t,
                                      const std::nothrow_t&) noexcept {
  prairie::Delete(pointer);
}
