// What the entry points share: C's conventions for errno, overflow and alignment, on top of the
// fast path.
#ifndef PRAIRIE_ALLOCATOR_API_ALLOCATION_H_
#define PRAIRIE_ALLOCATOR_API_ALLOCATION_H_

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bit>

#include "allocator/fast_path/fast_path.h"

namespace prairie {

PRAIRIE_COLD inline void* NoMemory() {
  errno = ENOMEM;
  return nullptr;
}

PRAIRIE_NOINLINE inline void* MallocSlow(size_t size) {
  void* const object = AllocateSlow(size);
  return PRAIRIE_LIKELY(object != nullptr) ? object : NoMemory();
}

PRAIRIE_ALWAYS_INLINE void* Malloc(size_t size) { return Allocate<MallocSlow>(size); }

PRAIRIE_NOINLINE inline void* CallocSlow(size_t bytes) {
  void* const object = AllocateZeroed(bytes);
  return PRAIRIE_LIKELY(object != nullptr) ? object : NoMemory();
}

PRAIRIE_ALWAYS_INLINE void* Calloc(size_t count, size_t size) {
  size_t bytes;
  if (PRAIRIE_UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return NoMemory();
  if (PRAIRIE_LIKELY(bytes <= kMaxSmallSize)) {
    void* const object = thread_cache->Pop(thread_cache->ClassOfSize(bytes), fast.mark_key);
    if (PRAIRIE_LIKELY(object != nullptr)) return memset(object, 0, bytes);  // As a jump.
  }
  return CallocSlow(bytes);
}

inline void* Realloc(void* pointer, size_t size) {
  if (pointer == nullptr) return Malloc(size);
  if (size == 0) {
    Free(pointer, Call::kRealloc);
    return nullptr;
  }
  void* const object = Reallocate(pointer, size);
  return PRAIRIE_LIKELY(object != nullptr) ? object : NoMemory();
}

inline void* ReallocArray(void* pointer, size_t count, size_t size) {
  size_t bytes;
  if (PRAIRIE_UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return NoMemory();
  return Realloc(pointer, bytes);
}

inline void* AlignedAlloc(size_t alignment, size_t size) {
  if (PRAIRIE_UNLIKELY(!IsPowerOfTwo(alignment))) {
    errno = EINVAL;
    return nullptr;
  }
  void* const object = AllocateAligned(size, alignment);
  return PRAIRIE_LIKELY(object != nullptr) ? object : NoMemory();
}

// As glibc: an alignment that is no power of two is rounded up to one, and 0 is the least.
inline void* Memalign(size_t alignment, size_t size) {
  constexpr size_t kMost = SIZE_MAX / 2 + 1;
  return AlignedAlloc(alignment > kMost ? 0 : std::bit_ceil(alignment), size);
}

inline int PosixMemalign(void** result, size_t alignment, size_t size) {
  if (!IsPowerOfTwo(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* const object = AllocateAligned(size, alignment);
  if (object == nullptr) return ENOMEM;
  *result = object;
  return 0;
}

// What a request of `size` is rounded to; 0 if no object can be that large.
inline size_t GoodSize(size_t size) {
  if (size <= kMaxSmallSize) return kSizeClasses[ClassOfSize(size)].size;
  if (size > kMaxObjectSize) return 0;
  return RoundUp(size, kPageSize);
}

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_API_ALLOCATION_H_
