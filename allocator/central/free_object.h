// What a small object holds while it is free.
#ifndef PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
#define PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_

#include <stdint.h>

#include "allocator/base/compiler.h"

namespace prairie {

// The two words at the start of every free small object, in whatever cache it lies. Nothing is
// stored there that the allocator needs.
//
// Invariant of a free object: self is its address, and mark ^ self == the key of the process. An
// object whose mark is its address ^ key is free: a program does not write that by accident, and a
// copy of it at another address is none. A program that writes to one of the words after freeing
// the object breaks the invariant, which is seen when malloc would hand it out. malloc clears the
// mark on every path that hands an object out. Keys are odd, so two words that are the same, as a
// memset leaves them, never say that.
//
// A program that follows a pointer in what it has freed finds the mark, which is no address, or the
// object itself, which is free already if it is freed next.
//
// What a program has just written there is written over and not read, but for the lower half of
// the mark's place: a read of eight bytes that were written as two times four waits for both
// stores. Nor is fresh memory read: that would be a fault that maps a page of zeros, and the write
// that follows another one, which breaks a huge page into 512.
struct FreeObject {
  uintptr_t mark;
  uintptr_t self;

  // The mark that says that this object is free.
  PRAIRIE_ALWAYS_INLINE uintptr_t FreeMark(uintptr_t key) const {
    return reinterpret_cast<uintptr_t>(this) ^ key;
  }
  PRAIRIE_ALWAYS_INLINE bool IsMarked(uintptr_t key) const { return mark == FreeMark(key); }
  // The same at less cost, and wrong once in 2^32 of those that are not.
  PRAIRIE_ALWAYS_INLINE bool MayBeMarked(uintptr_t key) const {
    return static_cast<uint32_t>(mark) == static_cast<uint32_t>(FreeMark(key));
  }
  // Whether it is free, and nobody wrote to it since.
  PRAIRIE_ALWAYS_INLINE bool IsIntact(uintptr_t key) const { return (mark ^ self) == key; }
  PRAIRIE_ALWAYS_INLINE void SetFree(uintptr_t free_mark) {
    mark = free_mark;
    self = reinterpret_cast<uintptr_t>(this);
  }
};

// An object that a cache gave back and that was in already: it was freed twice. Null: none was.
struct ListFault {
  void* object = nullptr;

  explicit operator bool() const { return object != nullptr; }
  // Keeps the first of several.
  void Note(const ListFault& other) {
    if (object == nullptr) *this = other;
  }
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_CENTRAL_FREE_OBJECT_H_
