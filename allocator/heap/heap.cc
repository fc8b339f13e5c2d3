#include "allocator/heap/heap.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>

#include "allocator/base/report.h"

namespace prairie {
namespace {

// What threads without a cache of their own point at: never written, room for nothing.
constinit ThreadCache no_cache;

// How many objects this thread has freed while it had no cache; or that it has ended its own. The
// first few make none: a thread that never allocated may be past its thread-specific destructors,
// when the C library frees in it what belonged to stacks that it keeps no longer, and a cache that
// is made then is lost.
PRAIRIE_THREAD_LOCAL uint8_t frees_without_cache;
constexpr uint8_t kFreesWithoutCache = 32;
constexpr uint8_t kHasEnded = UINT8_MAX;

// Growth of the metadata allocator: a thread cache or some tens of spans at a time.
constexpr size_t kMetadataSlack = 16 * kKiB;

// Of the large spans that it freed last a thread keeps so much: those of up to half of that.
constexpr PageCount kMostKept = PagesFor(256 * kKiB);
// And until this much was handed out while it took none of them; every so many frees of such it
// looks at the clock.
constexpr PageCount kRecentPatience = PagesFor(4 * kMiB);
constexpr uint32_t kRecentCallsForALook = 256;

// When a thread looks at the clock it returns so many idle magazines: some thousand objects.
constexpr uint32_t kIdleMagazinesAtATime = 16;
constexpr uint32_t kIdleSpansAtATime = 8;
// What a cache holds is of no use to the others while no pages are handed out, and holds spans that
// they could have while many are. So the time for which it is unused is told in pages; and so many
// slow calls of a thread count as one, lest it stand still.
constexpr uint32_t kSlowCallsForAPage = 64;

void OnThreadExit(void* argument) {
  ThreadCache* const cache = static_cast<ThreadCache*>(argument);
  heap.EndThread(cache);
}

}  // namespace

constinit Heap heap;
constinit FastPathState fast;
PRAIRIE_THREAD_LOCAL ThreadCache* thread_cache = &no_cache;

namespace {

// A program that never allocates still learns what is wrong with its options, and gets its stats.
__attribute__((constructor)) void InitializeAtLoad() { heap.EnsureInitialized(); }

}  // namespace

bool Heap::Initialize() {
  bool first;
  {
    SpinLockHolder holder(init_lock_);
    first = !initialized_.load(std::memory_order_relaxed);
    if (first && !InitializeLocked()) return false;
  }
  // As early as can be: handlers run before a fork in the reverse order of their registration, so
  // the locks of other libraries are taken before ours, and no holder of theirs waits for one of
  // ours.
  if (first) RegisterForkHandlers();
  return true;
}

bool Heap::InitializeLocked() {
  if (!options_read_) {
    if (!IsPrivileged()) options_.Parse(EarlyEnvironment("PRAIRIE_OPTIONS"));
    options_read_ = true;
  }
  if (!arena_.Init(os_, options_.force_unreserved)) return false;
  const ArenaLayout& layout = arena_.layout();
  metadata_.Init(os_, arena_.base() - layout.metadata_distance, layout.metadata_bytes,
                 kMetadataSlack, arena_.claims_reserved());
  page_map_.Init(arena_);
  allocated_.Init(os_, arena_.base() - layout.bitmap_distance[0], layout.window,
                  arena_.claims_reserved());
  page_heap_.Init(arena_, page_map_, allocated_, metadata_, options_.huge_pages, fast.extent);
  page_heap_.SetLimit({0, options_.limit});
  process_ = getpid();
  fast.arena_base = arena_.base();
  fast.mark_key = ProcessRandom() | 1;
  magazines_.Init(metadata_);
  context_ = {&page_heap_,    &page_map_,    &allocated_,  &magazines_,
              &transferring_, arena_.base(), &fast.extent, fast.mark_key};
  for (int c = 1; c < kSizeClassCount; ++c) {
    transfers_[c].Init(static_cast<SizeClass>(c), context_);
  }
  threads_.Init(metadata_, OnThreadExit);
  if (options_.verbose) {
    Report()
        .Text("prairie: arena at ")
        .Hex(arena_.base())
        .Text(arena_.reserved() ? ", reserved " : ", unreserved, window ")
        .Bytes(arena_.reservation())
        .Emit();
  }
  initialized_.store(true, std::memory_order_release);
  return true;
}

ThreadCache* Heap::OwnCache() const {
  ThreadCache* const cache = thread_cache;
  return cache == &no_cache ? nullptr : cache;
}

ThreadCache* Heap::CacheForThisThread() {
  if (ThreadCache* const own = OwnCache(); PRAIRIE_LIKELY(own != nullptr)) return own;
  if (frees_without_cache == kHasEnded) return nullptr;
  ThreadCache* const cache = threads_.Create();
  if (cache == nullptr) return nullptr;
  cache->recent.Init(kMostKept);
  thread_cache = cache;
  threads_.ArmExit(cache);
  return cache;
}

void Heap::EndThread(ThreadCache* cache) {
  // Destructors of other keys may run after this one and free; being called in every round that
  // POSIX grants keeps the cache alive for all but the last.
  if (++cache->exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    threads_.ArmExit(cache);
    return;
  }
  frees_without_cache = kHasEnded;
  thread_cache = &no_cache;
  ListFault fault = cache->Flush(transfers_);
  FreeRecent(*cache);
  threads_.Destroy(cache);
  // It has given up to two magazines of each class.
  for (int i = 0; i < kSizeClassCount && ReturnExcess(&fault); ++i) {
  }
  ReportFault(fault);
}

bool Heap::Refill(SizeClass c) {
  ThreadCache* const cache = CacheForThisThread();
  if (cache == nullptr) return false;
  LookAfterIdle(*cache);
  background_.StartIfWanted();
  page_heap_.CollapseIfDue();
  return cache->Refill(c, transfers_[c]);
}

template <typename Attempt>
auto Heap::AllocateOrFail(size_t size, Attempt attempt) -> decltype(attempt()) {
  if (const auto result = attempt(); PRAIRIE_LIKELY(result != nullptr)) return result;
  bool limit_refuses = false;
  const auto attempt_again = [&] {
    Trim(Release::kCharge);
    const uint32_t refusals = page_heap_.limit_refusals();
    const auto result = attempt();
    limit_refuses = page_heap_.limit_refusals() != refusals;
    return result;
  };
  if (const auto result = attempt_again(); result != nullptr) return result;
  if (limit_refuses && pressure_handler_.Call(PRAIRIE_PRESSURE_HARD)) {
    if (const auto result = attempt_again(); result != nullptr) return result;
  }
  RecordFailure(size, limit_refuses ? MemoryLimit::kHeapLimit : MemoryLimit::kNone);
  return nullptr;
}

FreeObject* Heap::TryFetch(SizeClass c) {
  FreeObject* object = nullptr;
  while (transfers_[c].central().Fetch(&object, 1) > 0) {
    if (PRAIRIE_LIKELY(object->IsIntact(fast.mark_key))) return object;
    // It stays out for ever, so this ends.
    ReportSmashed(c, object);
  }
  return nullptr;
}

FreeObject* Heap::AllocateUncached(SizeClass c, size_t size) {
  return AllocateOrFail(size, [=, this] { return TryFetch(c); });
}

bool Heap::MakeRoom(SizeClass c) {
  if (OwnCache() == nullptr && frees_without_cache < kFreesWithoutCache) {
    ++frees_without_cache;
    return false;
  }
  ThreadCache* const cache = CacheForThisThread();
  if (cache == nullptr) return false;
  LookAfterIdle(*cache);
  ListFault fault;
  const bool made = cache->MakeRoom(c, transfers_[c], &fault);
  ReturnExcess(&fault);
  ReportFault(fault);
  return made;
}

void Heap::KeepForLast(SizeClass c) {
  ThreadCache* const cache = OwnCache();
  if (cache == nullptr) return;
  cache->KeepForLast(c, transfers_[c]);
}

PRAIRIE_ALWAYS_INLINE void Heap::LookAfterIdle(ThreadCache& cache) {
  ++cache.slow_calls;
  const uint32_t for_a_page = page_heap_.frugal() ? 1 : kSlowCallsForAPage;
  // Those before it, too: most only exchanged two magazines.
  if (const uint32_t calls = cache.slow_calls - cache.timed_calls; calls >= for_a_page) {
    const PageCount pages = {calls / for_a_page};
    cache.timed_calls += pages.value * for_a_page;
    cache.call_time = cache.call_time + pages;
  }
  ReturnUnused(cache);
  if (PRAIRIE_UNLIKELY(cache.IsLookDue())) {
    cache.look_due = cache.slow_calls + ThreadCache::kSlowCallsToALook;
    LookAtClock();
  }
}

PRAIRIE_ALWAYS_INLINE void Heap::ReturnUnused(ThreadCache& cache) {
  const PageCount now = page_heap_.turnover() + cache.call_time;
  if (now == cache.last_look) return;
  cache.last_look = now;
  if (cache.recent_used) {
    cache.recent_used = false;
    cache.recent_use = now;
  } else if (now - cache.recent_use >= kRecentPatience || page_heap_.is_scarce()) {
    FreeRecent(cache);
  }
  ListFault fault;
  const SizeClass own = static_cast<SizeClass>(cache.idle_class % (kSizeClassCount - 1) + 1);
  cache.idle_class = own;
  cache.ReturnUnused(own, now, transfers_[own], &fault);
  const SizeClass shared = transferring_.NextAfter(cache.idle_transfer);
  cache.idle_transfer = shared;
  if (shared != 0) transfers_[shared].ReturnUnused(&fault);
  ReportFault(fault);
}

void Heap::FreeRecent(ThreadCache& cache) {
  while (const auto kept = cache.recent.Evict()) FreeKept(cache, kept);
}

void Heap::FreeKept(ThreadCache& cache, const RecentSpans::Entry& kept) {
  const bool has_it = page_heap_.FreeKept(kept.span, kept.first_page, &cache);
  if (PRAIRIE_UNLIKELY(!has_it)) ReportFreedTwice(kept);
}

PRAIRIE_COLD void Heap::ReportFreedTwice(const RecentSpans::Entry& kept) {
  const int saved_errno = errno;
  ReportMisuse(Call::kFree, reinterpret_cast<void*>(arena_.AddressOf(kept.first_page)));
  errno = saved_errno;
}

void Heap::LookAtClock() {
  const uint64_t now = MonotonicMilliseconds();
  if (options_.background) background_.Want(now);
  page_heap_.ReleaseIdle(now);
  ReturnIdle(now, false);
}

bool Heap::ReturnExcess(ListFault* fault) {
  // While pages are handed out, what is of no use goes home long before (ReturnUnused).
  constexpr size_t kLeast = 16 * kMiB;
  constexpr size_t kPart = 16;
  constexpr int kAtATime = 4;
  // Of so many classes the one that holds most gives some up: it costs least per byte there.
  constexpr uint32_t kCandidates = 16;
  const size_t share = std::max(fast.extent.load(std::memory_order_relaxed) / kPart, kLeast);
  for (int i = 0; i < kAtATime; ++i) {
    if (PRAIRIE_LIKELY(transferring_.bytes() <= share)) return false;
    const uint32_t first = excess_class_.fetch_add(kCandidates, std::memory_order_relaxed);
    TransferCache* most = &transfers_[first % kSizeClassCount];
    for (uint32_t k = 1; k < kCandidates; ++k) {
      TransferCache& each = transfers_[(first + k) % kSizeClassCount];
      if (each.held() > most->held()) most = &each;
    }
    most->ReturnNewest(fault);
  }
  return true;
}

bool Heap::ReturnIdle(uint64_t now, bool in_background) {
  if (now < idle_due_.load(std::memory_order_relaxed)) return true;
  ListFault fault;
  uint32_t returned = 0;
  bool over = false;
  while (!over && returned < kIdleMagazinesAtATime) {
    const uint32_t c = idle_class_.fetch_add(1, std::memory_order_relaxed);
    over = c >= kSizeClassCount;
    if (over) break;
    returned += transfers_[c].ReturnIdle(&fault);
    uint32_t spans = 0;
    while (!transfers_[c].central().ReleaseIdle(kIdleSpansAtATime, false, &spans) &&
           in_background) {
      spans = 0;
    }
    returned += spans;
  }
  if (over) {
    // Should two threads find that at once, a class may come a little early.
    idle_due_.store(now + kEpochMilliseconds, std::memory_order_relaxed);
    idle_class_.store(1, std::memory_order_relaxed);
    page_heap_.ReleaseIdle(now);
  }
  ReportFault(fault);
  return over;
}

void Heap::FreeUncached(FreeObject* object, SizeClass c) {
  object->SetFree(object->FreeMark(fast.mark_key));
  const ListFault fault = transfers_[c].central().Return(&object, 1);
  ReportFault(fault);
}

Span* Heap::AllocateLarge(size_t size, size_t alignment) {
  if (!EnsureInitialized()) {
    RecordFailure(size);
    return nullptr;
  }
  if (size > kMaxObjectSize || size > arena_.window() || alignment > arena_.window()) {
    RecordFailure(size, MemoryLimit::kWindow);
    return nullptr;
  }
  if (!page_heap_.MayGrant(size)) {
    RecordFailure(size);
    return nullptr;
  }
  // A program that uses large blocks only makes no slow call.
  if (ThreadCache* const own = CacheForThisThread(); own != nullptr) ReturnUnused(*own);
  background_.StartIfWanted();
  page_heap_.CollapseIfDue();
  const PageCount pages = PagesFor(size);
  const PageCount aligned = alignment <= kPageSize ? PageCount{1} : PagesFor(alignment);
  Span* const span = AllocateOrFail(
      size, [=, this] { return page_heap_.Allocate(pages, aligned, SpanKind::kLarge); });
  if (PRAIRIE_LIKELY(span != nullptr)) RelievePressure();
  return span;
}

Span* Heap::TakeKept(size_t size) {
  if (size > kMostKept.bytes()) return nullptr;
  ThreadCache& own = *thread_cache;
  if (own.recent.count() == 0) return nullptr;
  const auto kept = own.recent.Take(page_heap_.RoundToOsPages(PagesFor(size)));
  if (!kept) return nullptr;
  own.recent_used = true;
  Span* const span = kept.span;
  if (PRAIRIE_UNLIKELY(!span->IsKeptBy(&own, kept.first_page))) {
    ReportFreedTwice(kept);
    return nullptr;
  }
  span->zeroed = false;
  span->EndKeeping();
  return span;
}

bool Heap::Keep(ThreadCache& own, Span* span, PageId page) {
  if (PRAIRIE_UNLIKELY(!span->Keep(&own, page))) return false;
  const bool is_slow = ++own.recent_calls % kRecentCallsForALook == 0;
  // Another one than it was, if two threads free a block.
  const bool is_other =
      span->moved || !own.recent.Accepts(span->pages) || own.recent.IsFull(span->pages);
  if (PRAIRIE_LIKELY(!is_other)) {
    if (own.recent.count() == 0) own.recent_used = true;
    own.recent.Put(span);
    if (PRAIRIE_LIKELY(!is_slow)) return true;
  }
  const int saved_errno = errno;
  if (is_other) FreeKept(own, {span, page, span->pages});
  if (is_slow) {
    own.slow_calls += ThreadCache::kSlowCallsToALook - 1;
    LookAfterIdle(own);
  }
  errno = saved_errno;
  return true;
}

bool Heap::KeepLarge(const void* pointer) {
  // One without a cache of its own accepts none.
  ThreadCache& own = *thread_cache;
  const size_t offset = reinterpret_cast<uintptr_t>(pointer) - fast.arena_base;
  if (offset % kPageSize != 0 || offset >= fast.extent.load(std::memory_order_acquire)) {
    return false;
  }
  const PageId page = {static_cast<uint32_t>(offset >> kPageShift)};
  Span* const span = page_map_.span_of(page);
  if (span == nullptr || span->moved || !own.recent.Accepts(span->pages) ||
      own.recent.IsFull(span->pages) || page_heap_.is_scarce()) {
    return false;
  }
  return Keep(own, span, page);
}

bool Heap::FreeKept() {
  ThreadCache* const own = OwnCache();
  if (own == nullptr || own->recent.count() == 0) return false;
  FreeRecent(*own);
  return true;
}

bool Heap::FreeLarge(Span* span, const void* pointer) {
  const PageId page = arena_.PageOf(reinterpret_cast<uintptr_t>(pointer));
  ThreadCache* const own = OwnCache();
  // Read once: if another thread has freed it, it may become another one at any time.
  const PageCount pages = span->pages;
  if (own != nullptr && own->recent.Accepts(pages) && !span->moved && !page_heap_.is_scarce()) {
    while (own->recent.IsFull(pages)) FreeKept(*own, own->recent.Evict());
    return Keep(*own, span, page);
  }
  if (PRAIRIE_UNLIKELY(!page_heap_.FreeLarge(span, page))) return false;
  LookAtClock();
  return true;
}

size_t Heap::Trim(Release what) {
  if (!EnsureInitialized()) return 0;
  ListFault fault;
  if (ThreadCache* const own = OwnCache(); own != nullptr) {
    // Not to the transfer caches: that takes memory for their slots.
    fault = own->Flush(transfers_, true);
    FreeRecent(*own);
  }
  for (int c = 1; c < kSizeClassCount; ++c) {
    fault.Note(transfers_[c].Flush());
    // This gives back memory, but no address and nothing that a limit counts.
    uint32_t released = 0;
    while (what == Release::kMemory &&
           !transfers_[c].central().ReleaseIdle(UINT32_MAX, true, &released)) {
    }
  }
  const size_t released = page_heap_.ReleaseFree({UINT32_MAX}, what).bytes();
  ReportFault(fault);
  return released;
}

}  // namespace prairie
