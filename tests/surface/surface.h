// What the tests of the malloc surface share. They use nothing but the public functions, so they
// hold for any correct malloc; what only Prairie promises is tested behind UnderPrairie(), and
// preload_test.cc makes sure that it tells the truth.
#ifndef TESTS_SURFACE_SURFACE_H_
#define TESTS_SURFACE_SURFACE_H_

#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

// The driver sets SURFACE_ALLOCATOR=prairie when it preloads libprairie.so.
inline bool UnderPrairie() {
  const char* allocator = getenv("SURFACE_ALLOCATOR");
  return allocator != nullptr && strcmp(allocator, "prairie") == 0;
}

// A value that the compiler knows nothing about.
template <typename T>
inline T Opaque(T value) {
  volatile T hidden = value;
  return hidden;
}

inline bool IsAligned(const void* pointer, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

inline constexpr bool kNarrowAddresses = sizeof(void*) == 4;

// Is the address where the arena may be? It tries five places, 1 TiB apart, in case somebody sits
// in the first. Nobody else is in the first 64 GiB of each. In 32 bits: its usual place, and in the
// first GiB there is little else.
inline bool InArena(const void* pointer) {
  const uint64_t address = reinterpret_cast<uintptr_t>(pointer);
  if (kNarrowAddresses) return (address - 0x0cc00000) >> 30 == 0;
  const uint64_t offset = address - 0xf800000000;
  return offset >> 40 < 5 && (offset & ((uint64_t{1} << 40) - 1)) >> 36 == 0;
}

// A power of two that is far more than there is. In 32 bits nothing is, but what is more than half
// of it all cannot be had.
constexpr size_t TooMuch(int bits) {
  return kNarrowAddresses ? SIZE_MAX / 16 * 15 : static_cast<size_t>(uint64_t{1} << bits);
}

// A pattern that differs between neighbouring bytes, between offsets that are far apart, and
// between seeds.
inline unsigned char PatternByte(size_t offset, unsigned seed) {
  return static_cast<unsigned char>((offset + seed * 31) * 167 + (offset >> 8) * 13);
}

inline void Fill(void* block, size_t size, unsigned seed) {
  auto* bytes = static_cast<unsigned char*>(block);
  for (size_t i = 0; i < size; ++i) bytes[i] = PatternByte(i, seed);
}

// Does the block still hold what Fill wrote?
inline bool Holds(const void* block, size_t size, unsigned seed) {
  const auto* bytes = static_cast<const unsigned char*>(block);
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != PatternByte(i, seed)) return false;
  }
  return true;
}

inline bool IsZero(const void* block, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(block);
  return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

// A function of the C library or of the preloaded library that no header declares; nullptr when
// there is none.
template <typename Function>
inline Function* Symbol(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

#endif  // TESTS_SURFACE_SURFACE_H_
