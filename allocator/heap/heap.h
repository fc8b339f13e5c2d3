// The composition root: every global, the order of initialization, the order of fork.
//
// Only this layer and those above it may name `heap` and `fast`; everything below gets what it
// needs by reference, so that a test can build a page heap of its own.
#ifndef PRAIRIE_ALLOCATOR_HEAP_HEAP_H_
#define PRAIRIE_ALLOCATOR_HEAP_HEAP_H_

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <atomic>

#include "allocator/arena/arena.h"
#include "allocator/arena/metadata_allocator.h"
#include "allocator/base/compiler.h"
#include "allocator/base/options.h"
#include "allocator/base/spin_lock.h"
#include "allocator/central/transfer_cache.h"
#include "allocator/heap/background.h"
#include "allocator/heap/failure_log.h"
#include "allocator/heap/pressure_handler.h"
#include "allocator/heap/thread_registry.h"
#include "allocator/os/linux_memory.h"
#include "allocator/page_heap/page_heap.h"
#include "allocator/thread_cache/thread_cache.h"

namespace prairie {

// Which entry point found a misuse; the words of its report.
enum class Call : uint8_t { kMalloc, kFree, kRealloc, kDelete };

// What a pointer is, as far as the heap can tell.
struct Lookup {
  enum Kind : uint8_t {
    kNull,
    kForeign,   // outside the arena
    kWild,      // inside, but in no object
    kInterior,  // inside an object, not at its start
    kFree,      // the start of an object that is free
    kObject,    // the start of an object that is out
    kMapped,    // in the live part of a mapped span
  };
  Kind kind = kForeign;
  Span* span = nullptr;  // null if none has the page
  uintptr_t object = 0;  // start of the object that contains the pointer
  size_t size = 0;       // bytes in it
};

struct HeapStats {
  PageHeapStats pages;
  size_t allocated_bytes = 0;    // objects in the program's hands, large ones included
  size_t allocated_count = 0;    // how many
  size_t cached_bytes = 0;       // in thread and transfer caches
  size_t metadata_bytes = 0;     // flat arrays, spans, thread caches
  size_t reservation_bytes = 0;  // address space of the arena
  size_t thread_count = 0;       // threads with a cache
  uintptr_t arena_base = 0;
  bool reserved = false;
};

// The whole heap. One in a process; constant-initialized, never destroyed, so it works before
// constructors and after destructors.
class Heap {
 public:
  constexpr Heap() = default;

  // Sets everything up if it is not yet. False if the system has no memory for the first
  // structures; the next call tries again. Thread safety: any thread.
  bool EnsureInitialized() {
    return PRAIRIE_LIKELY(initialized_.load(std::memory_order_acquire)) || Initialize();
  }

  // This thread's magazine of class `c` is empty: refills it, giving the thread a cache if it has
  // none. False if there is no memory at once: AllocateUncached tries harder.
  bool Refill(SizeClass c);

  // An object for a thread that can have no cache: one that has ended its own, or one for which
  // there was no memory. Null if there is none; `size` is what the program asked for, and recorded.
  FreeObject* AllocateUncached(SizeClass c, size_t size);

  // This thread's magazine of class `c` is full: makes room. False if the thread can have no cache,
  // or has none yet and frees one of its first few objects, or if there is no memory for a
  // magazine.
  bool MakeRoom(SizeClass c);
  // See ThreadCache::KeepForLast; for this thread.
  void KeepForLast(SizeClass c);
  void FreeUncached(FreeObject* object, SizeClass c);

  // A large object of at least `size` bytes at a multiple of `alignment` (a power of two).
  // Null if there is no memory, which is recorded.
  Span* AllocateLarge(size_t size, size_t alignment);
  // One of those that this thread keeps, of the length for `size` bytes; null if it keeps none.
  Span* TakeKept(size_t size);
  // False if `span` no longer begins at `pointer`: another thread has freed it at the same time.
  bool FreeLarge(Span* span, const void* pointer);
  // Frees `pointer` if it is a large object that this thread may keep and has room for: what most
  // frees of such come to, and touches little memory. False, with nothing changed, if not; any
  // other pointer is not. Keeps errno.
  bool KeepLarge(const void* pointer);
  // What this thread keeps of large objects goes to the page heap. Whether there was anything.
  bool FreeKept();

  // What `pointer` is. Constant time, no lock but for kObject against kFree; safe for any value.
  Lookup Find(const void* pointer);

  // Whether Find would say neither kNull nor kForeign. Touches no memory of the arena, so an object
  // there may be freed meanwhile.
  bool Owns(const void* pointer);

  // As Find, but an address inside a live object counts as that object.
  Lookup FindContaining(const void* pointer);

  // Spans of addresses for mappings of the program's: see PageHeap. The first: at least `size`
  // bytes at a multiple of `alignment`; null if there is no room, or (*reserved is false) the arena
  // reserves no addresses. The others: false if `span` does not begin such a span.
  void* TakeMapped(size_t size, size_t alignment, const char* name, bool* reserved);
  bool SetLive(const void* span, size_t bytes);
  bool ReturnMapped(const void* span);
  // The name of the mapped span, null if `pointer` lies in none, or in its guard.
  const char* NameOfMapped(const void* pointer);

  // Writes the one line about `pointer`, and aborts unless on_error=report. Holds no lock.
  void ReportMisuse(Call call, const void* pointer);
  void ReportSmashed(SizeClass c, const void* object);
  void ReportFault(const ListFault& fault);

  // If it is time, sends magazines home that have waited in transfer caches for an epoch without
  // being of use, and gives back pages in which nothing lives; a few at a call, but all of these
  // `in_background`. `now`: milliseconds. Called by slow paths, without locks.
  // Returns whether all is done for this epoch.
  bool ReturnIdle(uint64_t now, bool in_background);
  // An allocation of `size` bytes is about to fail for want of memory: finds the limit that is the
  // reason, unless that was done a moment ago (FailureLog says when), and says it if verbose=1.
  // `known`: kWindow if the size alone is too large, kHeapLimit if Prairie's own limit refused,
  // else kNone. Holds no lock while it reads the kernel's files; keeps errno.
  void RecordFailure(size_t size, MemoryLimit known = MemoryLimit::kNone);
  // The last one that was recorded, in any thread.
  Failure LastFailure() { return failures_.last(); }

  // Prairie's own limit on what is committed. SetLimit gives back what is free if more is
  // committed; false if the heap cannot be initialized.
  bool SetLimit(const CommitBounds& bounds);
  CommitBounds Limit();
  PressureHandler& pressure_handler() { return pressure_handler_; }
  // After every allocation that may have committed pages, with no lock held and the result safe:
  // if the soft limit was crossed, gives back what is free, and calls the handler if that does not
  // suffice. It may allocate and free.
  void RelievePressure() {
    if (PRAIRIE_UNLIKELY(page_heap_.pressure())) RelievePressureNow();
  }

  // At the end of this thread: its cache goes home.
  void EndThread(ThreadCache* cache);

  // Gives what this thread's cache and the shared ones hold to the page heap, and its free pages to
  // the system. Returns the bytes given to the system.
  size_t Trim(Release what);

  // The limits of the process `pid`, the calling one, have changed: see PageHeap. Nothing is done
  // if the heap belongs to another: a child of vfork has limits of its own, but its parent's heap.
  void ObserveLimits(pid_t pid) {
    if (initialized_.load(std::memory_order_acquire) && pid == process_) page_heap_.ObserveLimits();
  }

  HeapStats Stats();
  // Writes a summary of a few lines.
  void PrintStats(int descriptor = 2);

  // Fork: see fork.cc.
  void PrepareFork();
  void AfterForkInParent();
  void AfterForkInChild();

  // Threads that have a cache.
  size_t thread_count() const { return threads_.count(); }
  PageHeap& page_heap() { return page_heap_; }
  size_t OsPageSize() const { return os_.PageSize(); }
  const Arena& arena() const { return arena_; }
  const Options& options() const { return options_; }
  uintptr_t AddressOf(const Span* span) const { return arena_.AddressOf(span->first_page); }

 private:
  bool Initialize();
  bool InitializeLocked();
  void RegisterForkHandlers();
  // Locks in rank order; after, the child forgets whoever held them.
  void LockAll();
  void UnlockAll();
  void ResetLocksInChild();
  // This thread's cache, or null if it has none; and made if it may have one.
  ThreadCache* OwnCache() const;
  ThreadCache* CacheForThisThread();
  void LookAfterIdle(ThreadCache& cache);
  void ReturnUnused(ThreadCache& cache);
  // The large span that begins at `page` goes to what `own` keeps, which must accept it and have
  // room. False if it does not begin there. Keeps errno.
  bool Keep(ThreadCache& own, Span* span, PageId page);
  // What it keeps of large spans goes to the page heap.
  void FreeRecent(ThreadCache& cache);
  void FreeKept(ThreadCache& cache, const RecentSpans::Entry& kept);
  // Another thread had freed it, too.
  void ReportFreedTwice(const RecentSpans::Entry& kept);
  // Gives back what it is time to give back, and asks for the background thread.
  void LookAtClock();
  // While transfer caches hold more than their share of the heap, the newest magazines of one class
  // after the other go home, a few at a call. Whether there may be more.
  bool ReturnExcess(ListFault* fault);
  FreeObject* TryFetch(SizeClass c);
  void RelievePressureNow();
  // What `attempt` gives: as things are; or after everything that is free was given back; or, if it
  // is Prairie's own limit that refuses, after the program's handler was asked to free more. If it
  // gives nothing, the failure is recorded.
  template <typename Attempt>
  auto AllocateOrFail(size_t size, Attempt attempt) -> decltype(attempt());
  // The reason for a failure, if it is none of the kernel's: else kNone.
  LimitFinding KnownReason(size_t size, MemoryLimit known);
  Lookup FindInSmall(const void* pointer, size_t offset, SizeClass c);
  // For an address below the frontier in a page that is not of a small span.
  Lookup FindOutsideSmall(uintptr_t address);
  // `span` was given back and had the page of `address` last; what it was is still known.
  Lookup FindInFreed(uintptr_t address, Span* span) const;

  std::atomic<bool> initialized_{false};
  SpinLock init_lock_{LockRank::kInit};
  bool options_read_ = false;
  pid_t process_ = 0;       // whose heap this is
  bool fork_locks_ = true;  // The fork that goes on has taken all locks.
  Options options_;
  LinuxMemory os_;
  Arena arena_;
  MetadataAllocator metadata_;
  PageMap page_map_;
  BitmapPlane allocated_;
  PageHeap page_heap_;
  CentralContext context_ = {};
  MagazineStore magazines_;
  TransferCache transfers_[kSizeClassCount];
  Transferring transferring_;
  std::atomic<uint32_t> excess_class_{1};  // the class whose turn it is to give some of them up
  std::atomic<uint64_t> idle_due_{0};      // when the next round begins
  std::atomic<uint32_t> idle_class_{1};    // the class that the round has come to
  ThreadRegistry threads_;
  FailureLog failures_;
  PressureHandler pressure_handler_;
  BackgroundThread background_;
};

// What the fast path reads. Zero until the heap is initialized: no address is then in the arena.
struct alignas(kCacheLineSize) FastPathState {
  uintptr_t arena_base = 0;
  std::atomic<size_t> extent{0};  // bytes of the arena up to the frontier
  uintptr_t mark_key = 0;
};

extern PRAIRIE_HIDDEN Heap heap;
extern PRAIRIE_HIDDEN FastPathState fast;
extern PRAIRIE_HIDDEN PRAIRIE_THREAD_LOCAL ThreadCache* thread_cache;

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_HEAP_HEAP_H_
