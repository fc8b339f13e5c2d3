#include "allocator/page_heap/page_index.h"

#include <algorithm>
#include <bit>

namespace prairie {
namespace {

constexpr uint64_t kAllOnes = ~uint64_t{0};

// Bits [begin, end) of a word, 0 <= begin < end <= 64.
constexpr uint64_t Mask(uint32_t begin, uint32_t end) {
  return (kAllOnes << begin) & (kAllOnes >> (64 - end));
}

// The first position >= `from` whose bit differs from `value`'s complement, i.e. equals `value`;
// `limit` if there is none below it.
template <size_t n>
uint32_t NextBit(const uint64_t (&words)[n], bool value, uint32_t from, uint32_t limit) {
  while (from < limit) {
    uint64_t word = words[from / 64];
    if (!value) word = ~word;
    word >>= from % 64;
    if (word != 0) return std::min(from + static_cast<uint32_t>(std::countr_zero(word)), limit);
    from = (from / 64 + 1) * 64;
  }
  return limit;
}

// Behind the last position below `limit` whose bit equals `value`; 0 if there is none.
template <size_t n>
uint32_t BitAfterLast(const uint64_t (&words)[n], bool value, uint32_t limit) {
  while (limit > 0) {
    const uint32_t last = limit - 1;
    uint64_t word = words[last / 64];
    if (!value) word = ~word;
    word <<= 63 - last % 64;
    if (word != 0) return limit - static_cast<uint32_t>(std::countl_zero(word));
    limit = last / 64 * 64;
  }
  return 0;
}

}  // namespace

void PageIndex::Init(const Arena& arena) {
  const ArenaLayout& layout = arena.layout();
  // In whole groups, as EnsurePages asks for them; a narrow window may end within one.
  const size_t chunks = RoundUp(layout.window >> (kPageShift + kChunkShift), kFanout);
  const bool reserved = arena.claims_reserved();
  chunks_.Init(arena.os(), arena.base() - layout.index_chunks_distance, chunks, reserved);
  static_assert(sizeof(Chunk) == 208, "ArenaLayout claims 208 bytes a chunk");

  // The higher levels first: they are small and committed at once; level 1 grows at the end.
  const uintptr_t base = arena.base() - layout.index_summaries_distance;
  summaries_.Init(arena.os(), base, layout.index_summaries_distance - layout.index_chunks_distance,
                  reserved);
  Summary* next = reinterpret_cast<Summary*>(base);
  for (int level = kTopLevel; level >= 1; --level) {
    level_[level] = next;
    const size_t entries = chunks >> (kFanoutShift * level);
    next += RoundUp(entries == 0 ? 1 : entries, kFanout);
  }
  chunk_count_ = 0;
  top_level_ = 0;
}

bool PageIndex::EnsurePages(PageId end, size_t slack) {
  uint32_t chunks = (end.value + kChunkPages - 1) >> kChunkShift;
  // A merge reads all children of a parent.
  chunks = static_cast<uint32_t>(RoundUp(chunks, kFanout));
  const size_t entries = RoundUp(chunks >> kFanoutShift, kFanout);
  const size_t summary_bytes = reinterpret_cast<uintptr_t>(level_[1] + entries) - summaries_.base();
  if (!chunks_.EnsureCount(chunks, slack) || !summaries_.EnsureBytes(summary_bytes, slack / 16)) {
    chunks_.Trim(chunk_count_, slack);
    return false;
  }
  chunk_count_ = std::max(chunk_count_, chunks);
  while (top_level_ < kTopLevel && TopEntries() > kFanout) RaiseTopLevel();
  return true;
}

void PageIndex::RaiseTopLevel() {
  ++top_level_;
  // What this level did not keep up with while it was not in use.
  for (uint32_t i = 0; i < TopEntries(); ++i) {
    At(top_level_, i) = Merge(top_level_ - 1, i << kFanoutShift);
  }
}

PageIndex::Summary PageIndex::Summarize(const uint64_t (&words)[kChunkWords]) {
  Summary summary = Ends(words);
  summary.longest = 0;
  for (uint32_t begin = 0; begin < kChunkPages;) {
    begin = NextBit(words, true, begin, kChunkPages);
    const uint32_t end = NextBit(words, false, begin, kChunkPages);
    summary.longest = std::max(summary.longest, end - begin);
    begin = end;
  }
  return summary;
}

PageIndex::Summary PageIndex::Ends(const uint64_t (&words)[kChunkWords]) {
  const uint32_t start = NextBit(words, false, 0, kChunkPages);
  return {start, start, kChunkPages - BitAfterLast(words, false, kChunkPages)};
}

uint32_t PageIndex::RunAround(const uint64_t (&words)[kChunkWords], uint32_t begin, uint32_t end) {
  return NextBit(words, false, end, kChunkPages) - BitAfterLast(words, false, begin);
}

PageIndex::Summary PageIndex::Merge(int child_level, uint32_t first_child) const {
  const uint32_t full = PagesAt(child_level);
  Summary merged = {0, 0, 0};
  bool all_free_so_far = true;
  for (uint32_t i = 0; i < kFanout; ++i) {
    const Summary& child = At(child_level, first_child + i);
    if (all_free_so_far) merged.start += child.start;
    all_free_so_far = all_free_so_far && child.start == full;
    merged.longest = std::max({merged.longest, merged.end + child.start, child.longest});
    merged.end = child.start == full ? merged.end + full : child.end;
  }
  return merged;
}

// Looks at the run alone that has changed, as far as that can be: a chunk may hold a hundred
// others.
void PageIndex::UpdateChunk(uint32_t chunk, uint32_t begin, uint32_t end, bool free) {
  Summary& summary = chunks_[chunk].summary;
  auto& words = chunks_[chunk].words[static_cast<int>(Bits::kFree)];
  const uint32_t around = RunAround(words, begin, end);
  if (!free && around >= summary.longest) {  // Perhaps it was the longest.
    summary = Summarize(words);
    return;
  }
  const uint32_t longest = std::max(summary.longest, free ? around : 0);
  summary = Ends(words);
  summary.longest = longest;
}

void PageIndex::UpdateSummaries(PageRun run, bool free) {
  uint32_t first = run.begin.value >> kChunkShift;
  uint32_t last = (run.end().value - 1) >> kChunkShift;
  for (uint32_t i = first; i <= last; ++i) {
    const uint32_t base = i << kChunkShift;
    UpdateChunk(i, std::max(run.begin.value, base) - base,
                std::min(run.end().value - base, kChunkPages), free);
  }
  for (int level = 1; level <= top_level_; ++level) {
    first >>= kFanoutShift;
    last >>= kFanoutShift;
    bool changed = false;
    for (uint32_t i = first; i <= last; ++i) {
      // Above level 1 the children are the entries of whole arrays, which are committed.
      const Summary merged = Merge(level - 1, i << kFanoutShift);
      changed = changed || merged != At(level, i);
      At(level, i) = merged;
    }
    if (!changed) return;
  }
}

uint32_t PageIndex::FindInChunk(const uint64_t (&words)[kChunkWords], uint32_t from,
                                uint32_t length) {
  for (;;) {
    const uint32_t begin = NextBit(words, true, from, kChunkPages);
    const uint32_t end = NextBit(words, false, begin, kChunkPages);
    if (end - begin >= length || begin == kChunkPages) return begin;
    from = end;
  }
}

bool PageIndex::FindIn(int level, EntryRange range, uint32_t from, uint32_t length,
                       uint32_t* page) const {
  const uint32_t full = PagesAt(level);
  uint32_t free_before = 0;  // free pages that end where entry i begins
  for (uint32_t i = std::max(range.begin, from / full); i < range.end; ++i) {
    const Summary& summary = At(level, i);
    const uint32_t begin = i * full;
    const bool cut = begin < from;  // Only its upper part counts.
    if (!cut && free_before + summary.start >= length) {
      *page = begin - free_before;
      return true;
    }
    if (summary.longest >= length) {
      if (level > 0) {
        const EntryRange children = {i << kFanoutShift, (i + 1) << kFanoutShift};
        if (FindIn(level - 1, children, from, length, page)) return true;
      } else {
        const auto& words = chunks_[i].words[static_cast<int>(Bits::kFree)];
        const uint32_t found = FindInChunk(words, cut ? from - begin : 0, length);
        if (found < kChunkPages) {
          *page = begin + found;
          return true;
        }
      }
    }
    if (cut) {
      free_before = std::min(summary.end, begin + full - from);
    } else {
      free_before = summary.start == full ? free_before + full : summary.end;
    }
  }
  return false;
}

bool PageIndex::FindFree(PageCount length, PageCount alignment, PageRun* found,
                         PageCount phase) const {
  const uint64_t surely = uint64_t{length.value} + alignment.value - 1;
  if (length.value == 0 || surely > UINT32_MAX / 2) return false;
  const EntryRange all = {0, TopEntries()};
  const auto align = [alignment, phase](uint32_t page) {
    const uint32_t over = (page + phase.value) % alignment.value;
    return over == 0 ? page : page + (alignment.value - over);
  };
  // Most runs that are long enough are holes that such a span has left, and are aligned.
  uint32_t page;
  uint32_t from = 0;
  for (int i = 0; i < kAlignedTries; ++i) {
    if (!FindIn(top_level_, all, from, length.value, &page)) return false;
    const uint32_t begin = align(page);
    const PageRun more = {{page + length.value}, {begin - page}};
    if (more.end().value > chunk_count_ * kChunkPages) return false;
    PageRun used;
    if (more.length.value == 0 || !FirstWith(Bits::kFree, false, more, &used)) {
      *found = {{begin}, length};
      return true;
    }
    from = used.begin.value;
  }
  // What is left over at the start of so long a run does not matter.
  if (!FindIn(top_level_, all, from, static_cast<uint32_t>(surely), &page)) return false;
  *found = {{align(page)}, length};
  return true;
}

template <typename Visit>
bool PageIndex::ForEachWord(Bits bits, PageRun run, Visit visit) const {
  uint32_t page = run.begin.value;
  const uint32_t end = run.end().value;
  while (page < end) {
    const uint32_t word_end = std::min((page / 64 + 1) * 64, end);
    // The chunks are ours; only this walk over them is const.
    Chunk& chunk = const_cast<Chunk&>(chunks_[page >> kChunkShift]);
    uint64_t& word = chunk.words[static_cast<int>(bits)][(page / 64) % kChunkWords];
    if (!visit(word, Mask(page % 64, (word_end - 1) % 64 + 1))) return false;
    page = word_end;
  }
  return true;
}

void PageIndex::MarkFree(PageRun run) {
  Set(Bits::kFree, run);
  UpdateSummaries(run, true);
}

void PageIndex::MarkUsed(PageRun run) {
  Clear(Bits::kFree, run);
  UpdateSummaries(run, false);
}

void PageIndex::Set(Bits bits, PageRun run) {
  ForEachWord(bits, run, [](uint64_t& word, uint64_t mask) {
    word |= mask;
    return true;
  });
}

void PageIndex::Clear(Bits bits, PageRun run) {
  ForEachWord(bits, run, [](uint64_t& word, uint64_t mask) {
    word &= ~mask;
    return true;
  });
}

PageCount PageIndex::Count(Bits bits, PageRun run) const {
  PageCount count;
  ForEachWord(bits, run, [&count](uint64_t& word, uint64_t mask) {
    count.value += static_cast<uint32_t>(std::popcount(word & mask));
    return true;
  });
  return count;
}

bool PageIndex::All(Bits bits, PageRun run) const {
  return ForEachWord(bits, run,
                     [](uint64_t& word, uint64_t mask) { return (word & mask) == mask; });
}

bool PageIndex::Any(Bits bits, PageRun run) const {
  return !ForEachWord(bits, run, [](uint64_t& word, uint64_t mask) { return (word & mask) == 0; });
}

bool PageIndex::FirstWith(Bits bits, bool value, PageRun run, PageRun* found) const {
  const auto next = [this, bits](bool wanted, uint32_t page, uint32_t end) {
    while (page < end) {
      const uint32_t chunk_start = page & ~(kChunkPages - 1);
      const uint32_t limit = std::min(chunk_start + kChunkPages, end);
      const Chunk& chunk = chunks_[page >> kChunkShift];
      page = chunk_start + NextBit(chunk.words[static_cast<int>(bits)], wanted, page - chunk_start,
                                   limit - chunk_start);
      if (page < limit) return page;
    }
    return end;
  };
  const uint32_t end = run.end().value;
  const uint32_t begin = next(value, run.begin.value, end);
  if (begin >= end) return false;
  *found = {{begin}, {next(!value, begin, end) - begin}};
  return true;
}

bool PageIndex::LastFreeWith(Bits bits, PageId end, PageCount limit, PageRun* found) const {
  uint32_t page = end.value;  // Everything at or above it has been looked at.
  uint32_t run_end = 0;       // End of the run that reaches down to `page`; 0: none yet.
  while (page > 0) {
    const uint32_t word_start = (page - 1) & ~63u;
    const Chunk& chunk = chunks_[word_start >> kChunkShift];
    if (run_end == 0 && chunk.summary.longest == 0) {
      page = word_start & ~(kChunkPages - 1);
      continue;
    }
    const uint32_t w = (word_start / 64) % kChunkWords;
    const uint64_t word =
        chunk.words[static_cast<int>(Bits::kFree)][w] & chunk.words[static_cast<int>(bits)][w];
    while (page > word_start) {
      const bool set = (word >> ((page - 1) % 64)) & 1;
      if (set && run_end == 0) run_end = page;
      if (!set && run_end != 0) {
        *found = {{page}, {run_end - page}};
        return true;
      }
      --page;
      if (run_end != 0 && run_end - page == limit.value) {
        *found = {{page}, limit};
        return true;
      }
      if (run_end == 0 && word == 0) page = word_start;
    }
  }
  if (run_end == 0) return false;
  *found = {{0}, {run_end}};
  return true;
}

PageCount PageIndex::LongestFree() const {
  uint32_t longest = 0, free_before = 0;
  for (uint32_t i = 0; i < TopEntries(); ++i) {
    const Summary& summary = At(top_level_, i);
    longest = std::max({longest, free_before + summary.start, summary.longest});
    free_before = summary.start == PagesAt(top_level_) ? free_before + summary.start : summary.end;
  }
  return {longest};
}

}  // namespace prairie
