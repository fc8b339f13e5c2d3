// The fast path: malloc and free as they run almost every time, top to bottom.
//
//   malloc   size → class (a byte table) → pop this thread's magazine of the class.
//   free     address → page → class (a byte array) → is it the start of a slot? (one
//            multiplication) → does it say that it is free already? → push.
//
// No lock, no atomic read-modify-write, no span. What does not fit continues in slow_path.cc, which
// starts again from the arguments, so nothing is carried over but those. The checks are part of
// the path and are what makes it as strict as it is: see docs/fast_path.md for what each costs.
#ifndef PRAIRIE_ALLOCATOR_FAST_PATH_FAST_PATH_H_
#define PRAIRIE_ALLOCATOR_FAST_PATH_FAST_PATH_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/arena/arena.h"
#include "allocator/arena/size_classes.h"
#include "allocator/base/compiler.h"
#include "allocator/heap/heap.h"

namespace prairie {

// The slow halves (slow_path.cc). Null, with errno untouched, if there is no memory.
void* AllocateSlow(size_t size);
void FreeSlow(void* pointer, Call call);

// The rest of the malloc family, without a fast path of its own (slow_path.cc, reallocate.cc).
// All return null if there is no memory; none sets errno.
// `alignment`: a power of two.
void* AllocateAligned(size_t size, size_t alignment);
void* AllocateZeroed(size_t size);
// As realloc: null frees nothing. REQUIRES: pointer is not null, size is not 0.
void* Reallocate(void* pointer, size_t size);
// Bytes that the object at `pointer` can hold; 0 if it is not the start of a live object.
size_t UsableSize(const void* pointer);

// The size class of `pointer` if it starts a small object that is not free, else 0; and 0 for one
// in 2^32 of those: see MayBeMarked. What free checks, for those who only ask.
PRAIRIE_ALWAYS_INLINE SizeClass LiveSmallClass(const void* pointer) {
  const uintptr_t base = fast.arena_base;
  const size_t offset = reinterpret_cast<uintptr_t>(pointer) - base;
  if (PRAIRIE_UNLIKELY(IsAtLeast(offset, fast.extent))) return 0;
  const SizeClass* const class_map =
      reinterpret_cast<const SizeClass*>(base - ArenaLayout::kClassMapDistance);
  const SizeClass c = class_map[offset >> kPageShift];
  if (PRAIRIE_UNLIKELY(!thread_cache->IsSlotStart(offset, c))) return 0;
  if (c == 0) __builtin_unreachable();  // IsSlotStart is false for 0; spares callers the test.
  return PRAIRIE_UNLIKELY(static_cast<const FreeObject*>(pointer)->MayBeMarked(fast.mark_key)) ? 0
                                                                                               : c;
}

// malloc. `Slow` is what the entry point does when this thread's magazine is empty; errno
// and exceptions are its business.
template <void* (*Slow)(size_t) = AllocateSlow>
PRAIRIE_ALWAYS_INLINE void* Allocate(size_t size) {
  if (PRAIRIE_LIKELY(size <= kMaxSmallSize)) {
    void* const object = thread_cache->Pop(thread_cache->ClassOfSize(size), fast.mark_key);
    if (PRAIRIE_LIKELY(object != nullptr)) return object;
  }
  return Slow(size);
}

// free. Keeps errno.
PRAIRIE_ALWAYS_INLINE void Free(void* pointer, Call call) {
  const SizeClass c = LiveSmallClass(pointer);
  FreeObject* const object = static_cast<FreeObject*>(pointer);
  if (PRAIRIE_LIKELY(c != 0) &&
      PRAIRIE_LIKELY(thread_cache->Push(object, object->FreeMark(fast.mark_key), c))) {
    return;
  }
  FreeSlow(pointer, call);
}

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_FAST_PATH_FAST_PATH_H_
