// What a small object holds while it is free, and lists of such objects.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_

#include <stdint.h>

#include "allocator/base/compiler.h"

namespace prairie {

// The two words at the start of every free small object, in whatever cache or list it lies.
//
// Invariant of a free object: next ^ mark ^ (its own address) == the key of the process.
// So it vouches for both words at once: a program that writes to an object after freeing it breaks
// the invariant, and malloc sees it before it follows the link; and an object that satisfies it is
// free, since a program does not write such words by accident and a copy of them at another
// address is none. malloc clears the mark on every path that hands an object out.
struct FreeObject {
  FreeObject* next;
  uintptr_t mark;

  PRAIRIE_ALWAYS_INLINE bool IsFree(uintptr_t key) const {
    return (reinterpret_cast<uintptr_t>(next) ^ mark ^ reinterpret_cast<uintptr_t>(this)) == key;
  }
  PRAIRIE_ALWAYS_INLINE void Link(FreeObject* to, uintptr_t key) {
    next = to;
    mark = reinterpret_cast<uintptr_t>(to) ^ reinterpret_cast<uintptr_t>(this) ^ key;
  }
};

// A null-terminated list with its length. Passed between caches whole, without a walk.
struct ObjectList {
  FreeObject* head = nullptr;
  uint32_t count = 0;
};

// What was found wrong with an object on a list. kSmashed: it was written to after it was freed.
struct ListFault {
  enum Kind : uint8_t { kNone, kDoubleFree, kSmashed };
  Kind kind = kNone;
  uint8_t size_class = 0;
  void* object = nullptr;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
