// What a small object holds while it is free, and lists of such objects.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_

#include <stdint.h>

#include "allocator/base/compiler.h"

namespace prairie {

// The two words at the start of every free small object, in whatever cache or list it lies.
// The mark is the address combined with a key of the process: a program does not write it by
// accident, and a copy of it at another address is not a mark. An object that carries its mark is
// free; malloc clears the mark on every path that hands an object out.
struct FreeObject {
  FreeObject* next;
  uintptr_t mark;
};

PRAIRIE_ALWAYS_INLINE uintptr_t MarkOf(const void* object, uintptr_t key) {
  return reinterpret_cast<uintptr_t>(object) ^ key;
}

// A null-terminated list with its length. Passed between caches whole, without a walk.
struct ObjectList {
  FreeObject* head = nullptr;
  uint32_t count = 0;
};

// What was found wrong with an object on a list. kSmashed: a link led to something that is no
// object of the class, because the object before it was written to after it was freed.
struct ListFault {
  enum Kind : uint8_t { kNone, kDoubleFree, kSmashed };
  Kind kind = kNone;
  uint8_t size_class = 0;
  void* object = nullptr;  // may be null for kSmashed: nothing of the list was sound
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
