// What a small object holds while it is free.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_

#include <stdint.h>

#include "allocator/base/compiler.h"

namespace prairie {

// The two words at the start of every free small object, in whatever cache it lies. The
// first is what the program left there; nothing is stored in an object that the allocator needs.
//
// Invariant of a free object: word ^ mark ^ (its own address) == the key of the process.
// An object that satisfies it is free: a program does not write such words by accident, and a copy
// of them at another address is none. A program that writes to one of them after freeing the object
// breaks the invariant, which is seen when the object goes home. malloc clears the mark on every
// path that hands an object out.
struct FreeObject {
  uintptr_t word;
  uintptr_t mark;

  // The mark that says that this object is free.
  PRAIRIE_ALWAYS_INLINE uintptr_t FreeMark(uintptr_t key) const {
    return word ^ reinterpret_cast<uintptr_t>(this) ^ key;
  }
  PRAIRIE_ALWAYS_INLINE bool IsFree(uintptr_t key) const { return mark == FreeMark(key); }
  PRAIRIE_ALWAYS_INLINE void SetFree(uintptr_t key) { mark = FreeMark(key); }
  // The same for memory that nobody has: it is written without being read. To read untouched memory
  // is a fault that maps a page of zeros, and the write that follows is another one, which for a
  // huge page ends in 512 small ones.
  PRAIRIE_ALWAYS_INLINE void Carve(uintptr_t key) {
    word = 0;
    mark = reinterpret_cast<uintptr_t>(this) ^ key;
  }
};

// What was found wrong with an object that a cache gave back. kSmashed: it was written to after it
// was freed.
struct ListFault {
  enum Kind : uint8_t { kNone, kDoubleFree, kSmashed };
  Kind kind = kNone;
  uint8_t size_class = 0;
  void* object = nullptr;

  // Keeps the first of several.
  void Note(const ListFault& other) {
    if (kind == kNone) *this = other;
  }
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
