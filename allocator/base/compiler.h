// What depends on the compiler or the processor, in one place.
#ifndef PRAIRIE_ALLOCATOR_BASE_COMPILER_H_
#define PRAIRIE_ALLOCATOR_BASE_COMPILER_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#define PRAIRIE_LIKELY(condition) (__builtin_expect(!!(condition), 1))
#define PRAIRIE_UNLIKELY(condition) (__builtin_expect(!!(condition), 0))

#define PRAIRIE_ALWAYS_INLINE inline __attribute__((always_inline))
#define PRAIRIE_NOINLINE __attribute__((noinline))
// Kept out of the hot text: slow paths, reports.
#define PRAIRIE_COLD __attribute__((noinline, cold))
#define PRAIRIE_EXPORT __attribute__((visibility("default")))

// For declarations of variables: the compiler then knows that they are in this library, and reaches
// them without the global offset table. (-fvisibility=hidden speaks of definitions only.)
#define PRAIRIE_HIDDEN __attribute__((visibility("hidden")))

// Thread-local in the static TLS block: one load relative to the thread pointer, no call to
// __tls_get_addr (which may allocate). A library loaded by dlopen may use only what glibc keeps in
// surplus (a few hundred bytes for all libraries), so Prairie has a pointer and a byte of this
// kind.
// `__thread` rather than `thread_local`: it promises constant initialization to those who see only
// the declaration, and so spares them a test for a dynamic one.
#define PRAIRIE_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

// How the mangled names of C++ spell size_t: unsigned long, or, in 32 bits, unsigned int.
#if __SIZEOF_POINTER__ == 8
#define PRAIRIE_MANGLED_SIZE "m"
#else
#define PRAIRIE_MANGLED_SIZE "j"
#endif

#if defined(__SANITIZE_THREAD__)
#define PRAIRIE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PRAIRIE_TSAN 1
#endif
#endif

namespace prairie {

// Tells the processor that this is a spin loop.
PRAIRIE_ALWAYS_INLINE void CpuRelax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}

// Whether `value` is at least the value of `bound`, loaded relaxed. As one instruction, where
// compilers make two of it.
PRAIRIE_ALWAYS_INLINE bool IsAtLeast(size_t value, const std::atomic<size_t>& bound) {
#if defined(__x86_64__) && defined(__LP64__) && !defined(PRAIRIE_TSAN)
  bool result;
  asm("cmpq %2, %1" : "=@ccae"(result) : "r"(value), "m"(bound));
  return result;
#else
  return value >= bound.load(std::memory_order_relaxed);
#endif
}

// Clears the bit of `word` that the lower six bits of `place` name. Returns whether it was set. Two
// results of one instruction, where compilers take six.
PRAIRIE_ALWAYS_INLINE bool ClearBit(uint64_t& word, uint64_t place) {
#if defined(__x86_64__)
  bool was_set;
  asm("btrq %2, %1" : "=@ccc"(was_set), "+r"(word) : "r"(place));
  return was_set;
#else
  const uint64_t bit = uint64_t{1} << (place & 63);
  const bool was_set = (word & bit) != 0;
  word &= ~bit;
  return was_set;
#endif
}

// Whether a * b, modulo 2^64, is less than b. With two operands in memory, where compilers load b
// into a register first, an instruction more.
PRAIRIE_ALWAYS_INLINE bool IsProductLess(uint64_t a, const uint64_t& b) {
#if defined(__x86_64__)
  bool result;
  asm("imulq %2, %1\n\tcmpq %2, %1" : "=@ccb"(result), "+&r"(a) : "m"(b));
  return result;
#else
  return a * b < b;
#endif
}

// The compiler is to think that `value` may be another one from here on. An element of an array
// with this index is then addressed by it again, in the instruction that reads or writes it, and
// not by an address that an instruction computed for several.
PRAIRIE_ALWAYS_INLINE void Forget(size_t& value) { asm("" : "+r"(value)); }

// The upper 64 bits of the product.
PRAIRIE_ALWAYS_INLINE unsigned long long MultiplyHigh(unsigned long long a, unsigned long long b) {
#if defined(__SIZEOF_INT128__)
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<Wide>(a) * b) >> 64);
#else
  const unsigned long long mask = 0xffffffff, shift = 32;
  const unsigned long long low = (a & mask) * (b & mask);
  const unsigned long long middle = (a >> shift) * (b & mask) + (low >> shift);
  const unsigned long long other = (a & mask) * (b >> shift) + (middle & mask);
  return (a >> shift) * (b >> shift) + (middle >> shift) + (other >> shift);
#endif
}

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_BASE_COMPILER_H_
