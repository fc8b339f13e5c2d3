// The heap bitmap: planes of one bit for each granule of the arena.
//
// Of the four planes of the design the malloc heap keeps one, *allocated*: the granule starts an
// object that has left its central list. The others (no-scan, marked, special) have their claims in
// ArenaLayout and are the garbage-collected heap's.
#ifndef PRAIRIE_ALLOCATOR_PAGES_HEAP_BITMAP_H_
#define PRAIRIE_ALLOCATOR_PAGES_HEAP_BITMAP_H_

#include <bit>

#include "allocator/arena/arena.h"
#include "allocator/arena/flat_region.h"
#include "allocator/base/compiler.h"

namespace prairie {

// Granules of one page fill whole words, so spans never share a word.
// Thread safety: bits of a span belong to whoever owns the span (its central list's lock).
// EnsurePages: the page heap's lock.
class BitmapPlane {
 public:
  constexpr BitmapPlane() = default;

  void Init(OsMemory& os, uintptr_t base, size_t window, bool reserved = false) {
    words_.Init(os, base, window >> (kGranuleShift + 6), reserved);
  }

  // See FlatRegion. Under the page heap's lock.
  void LeaveReserved() { words_.LeaveReserved(); }

  // Makes the bits of pages [0, end) usable. False: no memory.
  bool EnsurePages(PageId end, size_t slack) {
    return words_.EnsureCount(end.offset() >> (kGranuleShift + 6), slack);
  }

  static constexpr size_t kWordBytes = 64 * kGranuleSize;  // of the arena, in a word of bits
  // The place in its word.
  static unsigned Place(size_t offset) { return (offset >> kGranuleShift) & 63; }

  // From the beginning of the word to the granule of its lowest and highest bit. REQUIRES: one is
  // set.
  static size_t OffsetOfLowest(uint64_t word) {
    return static_cast<size_t>(std::countr_zero(word)) << kGranuleShift;
  }
  static size_t OffsetOfHighest(uint64_t word) {
    return static_cast<size_t>(63 - std::countl_zero(word)) << kGranuleShift;
  }

  // The bits themselves, for a loop. `offset`: bytes from the start of the arena, a multiple of the
  // granule.
  class Bits {
   public:
    explicit Bits(uint64_t* words) : words_(words) {}

    uint64_t& word(size_t offset) const { return words_[Word(offset)]; }

    bool Test(size_t offset) const { return (words_[Word(offset)] >> Place(offset) & 1) != 0; }
    void Set(size_t offset) const { words_[Word(offset)] |= uint64_t{1} << Place(offset); }
    void Clear(size_t offset) const { words_[Word(offset)] &= ~(uint64_t{1} << Place(offset)); }

    // Whether it was set. If not, nothing is written: the word may be somebody else's.
    bool TestAndClear(size_t offset) const {
      uint64_t left = word(offset);
      if (!ClearBit(left, offset >> kGranuleShift)) return false;
      word(offset) = left;
      return true;
    }

    // Whether any bit in [begin, end) is set.
    bool Any(size_t begin, size_t end) const {
      if (begin >= end) return false;
      const size_t last = end - kGranuleSize;
      const uint64_t from = ~uint64_t{0} << Place(begin);
      const uint64_t to = ~uint64_t{0} >> (63 - Place(last));
      if (Word(begin) == Word(last)) return (words_[Word(begin)] & from & to) != 0;
      if ((words_[Word(begin)] & from) != 0 || (words_[Word(last)] & to) != 0) return true;
      for (size_t word = Word(begin) + 1; word < Word(last); ++word) {
        if (words_[word] != 0) return true;
      }
      return false;
    }

   private:
    static size_t Word(size_t offset) { return offset >> (kGranuleShift + 6); }

    uint64_t* words_;
  };

  Bits bits() const { return Bits(words_.data()); }
  bool Test(size_t offset) const { return bits().Test(offset); }
  void Set(size_t offset) { bits().Set(offset); }
  void Clear(size_t offset) { bits().Clear(offset); }

  size_t committed_bytes() const { return words_.committed_bytes(); }

 private:
  FlatArray<uint64_t> words_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGES_HEAP_BITMAP_H_
