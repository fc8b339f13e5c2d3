// The page heap: spans out of free pages, committed as they are needed, given back when idle.
#ifndef PRAIRIE_ALLOCATOR_PAGE_HEAP_PAGE_HEAP_H_
#define PRAIRIE_ALLOCATOR_PAGE_HEAP_PAGE_HEAP_H_

#include <atomic>

#include "allocator/arena/arena.h"
#include "allocator/arena/metadata_allocator.h"
#include "allocator/base/options.h"
#include "allocator/base/spin_lock.h"
#include "allocator/page_heap/commit_limit.h"
#include "allocator/page_heap/page_index.h"
#include "allocator/page_heap/recent_spans.h"
#include "allocator/pages/heap_bitmap.h"
#include "allocator/pages/page_map.h"
#include "allocator/pages/span.h"

namespace prairie {

// What is given back. Under RLIMIT_DATA and strict overcommit a page is charged as long as it is
// writable, whatever it holds; taking that away costs two calls more and splits the mapping.
enum class Release : uint8_t {
  kMemory,  // contents, so that RSS falls; in the unreserved mode addresses too
  kCharge,  // access as well: all that a limit may count
};

struct PageHeapStats {
  size_t small_bytes = 0;       // in spans of small objects
  size_t large_bytes = 0;       // in large objects
  size_t large_count = 0;       // large objects
  size_t free_bytes = 0;        // in free pages, of which...
  size_t free_dirty_bytes = 0;  // ...hold stale contents, so they count in RSS
  size_t committed_bytes = 0;   // pages that are readable and writable, free or not
  size_t peak_committed_bytes = 0;
  size_t frontier_bytes = 0;  // from the start of the arena to the highest page ever taken
  size_t foreign_bytes = 0;   // holes and mapped spans: other people's mappings below the frontier
  size_t index_bytes = 0;
  size_t counted_bytes = 0;  // what the limit counts: what is committed, and all metadata
  CommitBounds limit;
};

// Thread safety: any thread; one lock.
// Invariant, in pages below the frontier: free + small + large + foreign == frontier.
class PageHeap {
 public:
  constexpr PageHeap() = default;

  // `extent`: set to the frontier in bytes whenever it moves; what the fast path compares with.
  void Init(Arena& arena, PageMap& page_map, BitmapPlane& allocated, MetadataAllocator& metadata,
            HugePages huge_pages, std::atomic<size_t>& extent);

  // A span of `pages` (at least 1), committed; `zeroed` says whether its memory reads as zero. Its
  // start is a multiple of `alignment` pages: for a large one that is a promise, for a small one
  // (the slot grid) a preference. Null if the system has no memory or the window is full.
  Span* Allocate(PageCount pages, PageCount alignment, SpanKind kind);

  // Takes back a span from Allocate; a large one may have ended before. For a small one the class
  // bytes must be cleared.
  void Free(Span* span);

  // The same for the large span that began at `first_page` when the caller looked at it without the
  // lock. False, with nothing changed, if it does so no more: another thread was faster.
  bool FreeLarge(Span* span, PageId first_page);
  // The same for one that `keeper` keeps (Span::Keep). False, with nothing changed, if it does not:
  // another thread freed it at the same time.
  bool FreeKept(Span* span, PageId first_page, const void* keeper);
  // Gives back the memory of a part of a span in use, which reads as zero then. `offset`: bytes
  // from the start of the arena. False if some of it may not have gone. Without the lock. REQUIRES:
  // offset and size are multiples of OsPageSize().
  bool Discard(size_t offset, size_t size) { return arena_->Discard(offset, size); }
  size_t OsPageSize() const { return arena_->os().PageSize(); }
  // Whether large spans come in huge pages, if the kernel has any left.
  bool may_have_huge_pages() const { return may_have_huge_pages_ && arena_->reserved(); }
  // Whether the system may have so much at one time. It is not asked about what any may have.
  // Without the lock.
  bool MayGrant(size_t bytes) const { return bytes <= kGiB || arena_->os().MayGrant(bytes); }
  // The length of a span for `pages`.
  PageCount RoundToOsPages(PageCount pages) const;

  // Makes a large span longer where it is. False, with nothing changed, if the pages behind it
  // are not free or cannot be had.
  bool GrowInPlace(Span* span, PageCount pages);

  // Gives the pages from `pages` on back, if there are any. REQUIRES: pages > 0.
  void ShrinkInPlace(Span* span, PageCount pages);

  // A new large span of `pages` that has the contents of `span`, by moving its pages; `span` is
  // freed. Null, with nothing changed, if that cannot be done, or if so many live spans have been
  // moved that their mappings could reach vm.max_map_count. REQUIRES: pages >= span->pages.
  Span* Move(Span* span, PageCount pages);

  // Addresses for a mapping of the caller's: `pages` and a guard, reserved, in a span of kind
  // kMapped. None of it is live. Null if there is no room, or the arena reserves nothing.
  Span* AllocateMapped(PageCount pages, PageCount alignment, const char* name);

  // The first `bytes` of the mapped span that begins at `first_page` are live from now on. False,
  // with nothing changed, if none begins there, it is shorter, or there is no memory.
  bool SetLive(PageId first_page, size_t bytes);

  // Takes it back, reserved as it was given out. False if none begins there.
  bool FreeMapped(PageId first_page);

  // Returns up to `most` free pages to the system, highest first. Returns how many it got rid of.
  PageCount ReleaseFree(PageCount most, Release what = Release::kMemory);

  // If it is time, returns some of what has been free and unused since the last time: not more than
  // a program may wait for, and more where it calls seldom. True if nothing is left to do until the
  // next time, else later calls go on. `now`: milliseconds; one that is not later does nothing.
  bool ReleaseIdle(uint64_t now);

  // If a commit has found memory that came before huge pages were asked for: makes one of it. It
  // takes about a millisecond, so no lock may be held. Any thread, without the lock.
  void CollapseIfDue() {
    if (PRAIRIE_UNLIKELY(collapse_due_.load(std::memory_order_relaxed) != 0)) CollapseNow();
  }

  // RLIMIT_AS may have been set since the arena was reserved: if it leaves no room beside the
  // reservation, the arena goes over to the unreserved mode. The page heap looks by itself before
  // it grows and when it gives back; this is for whoever knows of a change. Does nothing while
  // another thread holds the lock, so it may be called anywhere.
  void ObserveLimits();

  // Whether a limit makes memory so dear that caches should be small.
  bool frugal() const { return frugal_.load(std::memory_order_relaxed); }
  // Whether what threads keep for themselves may be what another one cannot have: frugal, or
  // Prairie's own limit is set.
  bool is_scarce() const { return frugal() || limited_.load(std::memory_order_relaxed); }

  // Prairie's own limit on what is committed: pages, free or not, and metadata. The latter is
  // counted but not refused, so it may exceed the limit, until the next commit of pages; but the
  // arrays for more pages than a step are.
  void SetLimit(const CommitBounds& bounds);
  CommitBounds limit();
  // See CommitLimit. Any thread, without the lock.
  bool pressure() const { return limit_.pressure(); }
  bool TakePressure() { return limit_.TakePressure(); }
  uint32_t limit_refusals() const { return limit_.refusals(); }
  // After TakePressure: whether what is committed is below the soft limit again.
  bool IsRelieved();

  // Whether `page`, below the frontier, is committed. Without the lock: it may be out of date.
  bool IsUsable(PageId page) const { return index_.All(Bits::kUsable, {page, {1}}); }

  // Pages handed out so far, wrapping round: by it caches tell whether what they hold is of use.
  // Any thread, without the lock.
  PageCount turnover() const { return {turnover_.load(std::memory_order_relaxed)}; }

  PageHeapStats stats();
  SpinLock& lock() { return lock_; }
  const Arena& arena() const { return *arena_; }

  // Walks the structures and aborts with a line if an invariant does not hold. For tests.
  void CheckInvariants();

 private:
  using Bits = PageIndex::Bits;

  // Conflicts are stepped over so often in one allocation before the window counts as full.
  static constexpr int kMostHoles = 64;
  // In the unreserved mode more free pages than this are unmapped at once: address space is what
  // the limit is about. A few are kept so that a program on the edge does not map and unmap for
  // ever.
  static constexpr PageCount kUnreservedSlack = PagesFor(256 * kKiB);
  static constexpr PageCount kHugePages = PagesFor(kHugePageSize);
  static PageId RoundUpToHugePage(PageId page) {
    return {static_cast<uint32_t>(RoundUp(page.value, kHugePages.value))};
  }

  // The functions below require lock_.
  size_t CountedBytes() const;
  struct Alignment {
    PageCount pages;
    PageCount phase;  // the start, and this many pages more, are a multiple
    bool must;        // Else it is only preferred.
  };
  // What Allocate asks of the start of a span of `kind`.
  Alignment AlignmentFor(PageCount alignment, SpanKind kind) const;
  // Where whole huge pages of `run` can move to, if there are any: a preference.
  Alignment AsInHugePages(PageRun run) const;
  void ChooseSteps();
  void ObserveLimitsLocked();
  // Gives back everything that is reserved and not in use.
  void LeaveReservedMode();
  Span* AllocateLocked(PageCount pages, const Alignment& alignment, SpanKind kind);
  // What a run is wanted for: a mapping of somebody else's needs nothing committed.
  enum class Use : uint8_t { kMemory, kAddresses };
  bool FindOrExtend(PageCount pages, const Alignment& alignment, Use use, PageRun* run);
  // Moves the frontier to the end of `wanted` at least, so that it can be found, unless foreign
  // pages lie in it. Of much memory, what is missing is committed first: if it cannot be had
  // nothing has changed. REQUIRES: wanted ends behind the frontier, and what of it lies before the
  // frontier is free.
  bool ExtendFrontier(PageRun wanted, Use use);
  // Moves it to the end of `run`, when `ahead` is committed, of which that run is a part. `exact`:
  // no more of the arrays than must be.
  bool AppendFree(PageRun run, PageRun ahead, bool exact);
  // `wanted` from where none of it is usable, with what alignment skips, and to `end`.
  PageRun NotUsableOf(PageRun wanted, PageId end) const;
  // Whether Prairie's own limit leaves room for what ExtendFrontier commits.
  bool LimitAllows(PageRun wanted, PageId end, Use use);
  // Whether the system would commit so much at any place; this is for when it says that another's
  // mapping is in the way, which it does first.
  bool SystemHas(PageCount pages);
  // What the arrays that describe every page, and the bitmap, which describes small spans only,
  // need for the pages up to `end`.
  bool EnsureArrays(PageId end, bool exact);
  bool EnsureBitmap(PageId end);
  // By how much the frontier and commits advance.
  PageCount Step() const;
  size_t ArraysAhead(PageId end) const;
  MapResult EnsureUsable(PageRun run);
  MapResult CommitRun(PageRun run);
  PageRun WidenForCommit(PageRun run) const;
  // A commit of `run` met a foreign mapping: commits what can be had of it and gives up the rest.
  void StepOverForeign(PageRun run);
  void FindForeign(PageRun run, int* calls);
  // Free pages of `run` that belong to somebody else become part of a hole.
  void GiveUp(PageRun run);
  // For a run that was committed: with what lies ahead of it, and not if that was asked for before.
  void AdviseHugePages(PageRun run);
  // For a run with a new mapping: exactly that, so that it can merge with its neighbours.
  void AdviseHugePagesAnew(PageRun run);
  bool AsksForHugePages() const;
  void NoteNextCollapse();
  // What is due, if it still has its memory. Takes the lock, and makes the call without it.
  void CollapseNow();
  bool HasItsMemory(PageRun run) const;
  // Change the usable bits of a run that has them all alike, and what is counted of them.
  void SetUsable(PageRun run);
  void ClearUsable(PageRun run);
  int UsableNeighbours(PageRun run) const;
  // Whether the number of mappings permits the run to lose its access.
  bool MayOpenGap(PageRun run) const;
  // Takes a free, usable run out of the index; returns whether it reads as zero.
  bool Take(PageRun run);
  void GiveBack(PageRun run);
  // Whether giving back `what` leaves pages usable, and which free pages there are to give back.
  bool KeepsAccess(Release what) const { return arena_->reserved() && what == Release::kMemory; }
  Bits ReleasableBits(Release what) const;
  // Gives back a free run. Returns how much of it that was: not more than the run, perhaps nothing.
  PageCount ReleaseRun(PageRun run, Release what);
  PageCount ReleaseFreeLocked(PageCount most, Release what);
  void BeginEpoch(uint64_t now);
  // The next step of ReleaseIdle, so many times as large as the smallest.
  bool ReleaseOwed(int size);
  void Retire(Span* span);
  bool TakeAccess(PageRun run);
  Span* MappedAt(PageId first_page) const;
  void FreeLocked(Span* span);
  void FreeForGood(Span* span);
  void MarkMoved(Span* span);
  // Frees what recent_ keeps. Returns whether there was anything.
  bool FlushRecent();
  // Whether `run` is free, if need be after recent_ has been flushed.
  bool IsFree(PageRun run);
  // Moved pages keep a mapping of their own: puts a fresh one in its place, which the kernel can
  // merge with its neighbours, so that the number of mappings does not grow with that of moves.
  void HealMapping(PageRun run);
  // The beginning of a new large span is not ours any more: gives up that, and frees the rest.
  // Takes the lock.
  void LoseTarget(Span* target, PageRun gone);

  SpinLock lock_{LockRank::kPageHeap};
  Arena* arena_ = nullptr;
  PageMap* page_map_ = nullptr;
  BitmapPlane* allocated_ = nullptr;
  MetadataAllocator* metadata_ = nullptr;
  std::atomic<size_t>* extent_ = nullptr;
  PageIndex index_;
  CommitLimit limit_;
  ObjectPool<Span> spans_;
  RecentSpans recent_;  // counted with the large ones until they are flushed
  HugePages huge_pages_ = HugePages::kAuto;
  PageCount os_unit_;  // pages in an OS page, at least 1
  std::atomic<bool> frugal_{false};
  std::atomic<bool> limited_{false};  // limit_ is set.
  std::atomic<uint32_t> turnover_{0};
  size_t limit_seen_ = SIZE_MAX;  // RLIMIT_AS when the steps were chosen, in the unreserved mode
  PageCount commit_step_;         // the least Step()

  bool may_have_huge_pages_ = false;  // as far as the options and the administrator go
  PageRun advised_;  // Huge pages have been asked for here, beyond the frontier of that time.
  // Of what was committed before huge pages were asked for, the next to become one, and the end.
  PageId next_collapse_, collapse_end_;
  uint32_t collapse_looks_ = 0;            // at the next one
  std::atomic<uint32_t> collapse_due_{0};  // the end of the one to be made; 0: none

  int islands_ = 0;    // maximal runs of usable pages
  int conflicts_ = 0;  // conflicts in a row that were too large to be explored

  PageId frontier_;
  PageCount small_, large_, free_, free_dirty_, foreign_, committed_, peak_committed_;
  size_t large_count_ = 0;
  uint32_t moved_count_ = 0;  // large spans with mappings of their own

  // Idle release: the fewest dirty free pages since the epoch began were of no use to anyone.
  PageCount least_free_dirty_;
  uint64_t epoch_start_ = 0;
  std::atomic<uint64_t> last_look_{0};
  std::atomic<bool> owes_{false};  // owed_.pages is not 0, or is being looked at.
  // What is to go back in this epoch: so many pages, at most so many with a call, of the runs below
  // `end`, which outlives the epoch, those that are not shorter than `least`, and then of all.
  struct {
    PageCount pages;
    PageCount at_once;
    PageCount least;
    PageId end;
  } owed_;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_PAGE_HEAP_PAGE_HEAP_H_
