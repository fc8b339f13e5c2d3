// The free-page index: which pages are free, and where the first free run of n pages begins.
//
// Three bits for each page (free, usable, dirty) in chunks of 512 pages, and above them a tree of
// summaries with a fan-out of 16: each says, of the pages that it covers, how long the free run at
// its start is, at its end, and the longest anywhere. Finding the lowest run that fits walks down
// one path: O(16 · levels), whatever the size of the heap. Levels come into use as the heap grows:
// up to 64 MiB there are only the chunks.
#ifndef PRAIRIE_ALLOCATOR_PAGE_HEAP_PAGE_INDEX_H_
#define PRAIRIE_ALLOCATOR_PAGE_HEAP_PAGE_INDEX_H_

#include <stddef.h>
#include <stdint.h>

#include "allocator/arena/arena.h"
#include "allocator/arena/flat_region.h"
#include "allocator/base/pages.h"

namespace prairie {

// Of a page:
//   free    in the page heap, in no span (a foreign page, in a hole, is simply never free)
//   usable  committed: readable and writable
//   dirty   may hold something other than zero. dirty implies usable.
// Thread safety: the page heap's lock.
class PageIndex {
 public:
  enum class Bits { kFree, kUsable, kDirty };

  constexpr PageIndex() = default;
  void Init(const Arena& arena);

  // Bytes of the bits of pages [0, end), without the summaries.
  static constexpr size_t BytesFor(PageId end) {
    return FlatArray<Chunk>::BytesFor(end.value >> kChunkShift);
  }

  // Makes the bits of pages [0, end) exist, as zero. False: no memory, nothing lost.
  bool EnsurePages(PageId end, size_t slack);

  // See FlatRegion.
  void LeaveReserved() {
    chunks_.LeaveReserved();
    summaries_.LeaveReserved();
  }

  // A free run of `length` pages whose start is a multiple of `alignment` pages (any number, not
  // only powers of two). The lowest one if it is among the first kAlignedTries runs that are long
  // enough, else the lowest in a run of length + alignment - 1. False if there is none of these.
  // `phase` pages, fewer than `alignment`, are added to the start before it is looked at.
  bool FindFree(PageCount length, PageCount alignment, PageRun* found, PageCount phase = {}) const;

  void MarkFree(PageRun run);
  void MarkUsed(PageRun run);
  void Set(Bits bits, PageRun run);    // not kFree
  void Clear(Bits bits, PageRun run);  // not kFree

  // How many pages of `run` have `bits`.
  PageCount Count(Bits bits, PageRun run) const;
  bool All(Bits bits, PageRun run) const;
  bool Any(Bits bits, PageRun run) const;

  // The first sub-run of `run` whose pages have `bits` equal to `value`. False if none.
  bool FirstWith(Bits bits, bool value, PageRun run, PageRun* found) const;

  // The highest run of pages below `end` that are free and have `bits`, at most `limit` pages of
  // it (its upper part). False if there is none.
  bool LastFreeWith(Bits bits, PageId end, PageCount limit, PageRun* found) const;

  // The longest free run anywhere.
  PageCount LongestFree() const;

  size_t committed_bytes() const { return chunks_.committed_bytes() + summaries_.committed(); }

 private:
  static constexpr int kChunkShift = 9;
  static constexpr uint32_t kChunkPages = 1u << kChunkShift;
  static constexpr int kChunkWords = kChunkPages / 64;
  static constexpr int kFanoutShift = 4;
  static constexpr uint32_t kFanout = 1u << kFanoutShift;
  // Level 0 is in the chunks; level k covers kChunkPages * 16^k pages.
  static constexpr int kTopLevel = 4;
  static constexpr int kAlignedTries = 8;

  // Free runs among the pages that an entry covers.
  struct Summary {
    uint32_t start;
    uint32_t longest;
    uint32_t end;
    friend bool operator==(const Summary&, const Summary&) = default;
  };

  struct alignas(8) Chunk {          // i386 would align its words to 4.
    uint64_t words[3][kChunkWords];  // by Bits
    Summary summary;
  };

  static constexpr uint32_t PagesAt(int level) { return kChunkPages << (kFanoutShift * level); }
  const Summary& At(int level, uint32_t i) const {
    return level == 0 ? chunks_[i].summary : level_[level][i];
  }
  Summary& At(int level, uint32_t i) { return level == 0 ? chunks_[i].summary : level_[level][i]; }

  static Summary Summarize(const uint64_t (&words)[kChunkWords]);
  // The same, but for the longest run.
  static Summary Ends(const uint64_t (&words)[kChunkWords]);
  // The length of the free run that [begin, end) is in, or would be in if it were free.
  static uint32_t RunAround(const uint64_t (&words)[kChunkWords], uint32_t begin, uint32_t end);
  Summary Merge(int child_level, uint32_t first_child) const;
  // Entries of the top level in use.
  uint32_t TopEntries() const {
    return (chunk_count_ + (1u << (kFanoutShift * top_level_)) - 1) >> (kFanoutShift * top_level_);
  }
  void RaiseTopLevel();
  // After the pages [begin, end) of a chunk, or `run`, have become free or used.
  void UpdateChunk(uint32_t chunk, uint32_t begin, uint32_t end, bool free);
  void UpdateSummaries(PageRun run, bool free);
  // The lowest run of `length` free pages at or above page `from` in a range of entries.
  struct EntryRange {
    uint32_t begin, end;
  };
  bool FindIn(int level, EntryRange range, uint32_t from, uint32_t length, uint32_t* page) const;
  // The same within a chunk, from bit `from` on; kChunkPages if there is none.
  static uint32_t FindInChunk(const uint64_t (&words)[kChunkWords], uint32_t from, uint32_t length);

  // Calls visit(word, mask) for the words that hold bits of `run`; stops when it returns false,
  // and returns whether it never did.
  template <typename Visit>
  bool ForEachWord(Bits bits, PageRun run, Visit visit) const;

  FlatArray<Chunk> chunks_;
  FlatRegion summaries_;
  Summary* level_[kTopLevel + 1] = {};
  uint32_t chunk_count_ = 0;  // chunks whose pages exist
  int top_level_ = 0;         // the lowest level of at most kFanout entries, or kTopLevel
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGE_HEAP_PAGE_INDEX_H_
