// Which threads have caches, and what happens to a cache when its thread ends.
#ifndef PRAIRIE_ALLOCATOR_HEAP_THREAD_REGISTRY_H_
#define PRAIRIE_ALLOCATOR_HEAP_THREAD_REGISTRY_H_

#include <pthread.h>
#include <stddef.h>

#include <atomic>

#include "allocator/arena/metadata_allocator.h"
#include "allocator/base/spin_lock.h"
#include "allocator/thread_cache/thread_cache.h"

namespace prairie {

// Thread safety: any thread; one lock.
class ThreadRegistry {
 public:
  constexpr ThreadRegistry() = default;

  // `on_exit` is called with the cache at the end of its thread, after the program's own
  // thread-specific destructors as far as the rounds of POSIX allow.
  void Init(MetadataAllocator& metadata, void (*on_exit)(void* cache));

  // A new cache, not yet known to the thread's end. Null if there is no memory.
  ThreadCache* Create();
  // Arranges for `on_exit`. May allocate: the thread must have its cache in place.
  void ArmExit(ThreadCache* cache);
  // Takes back a flushed cache.
  void Destroy(ThreadCache* cache);

  // In the child of a fork: caches of threads that do not exist here are dropped with what they
  // held, because a thread may have been in the middle of changing its list.
  void KeepOnly(ThreadCache* cache);

  size_t count() const { return count_.load(std::memory_order_relaxed); }
  // Objects of class `c` in all caches; inexact while threads run.
  size_t cached_count(SizeClass c);
  // Large spans that threads keep, and the bytes in them; as inexact.
  void CountRecent(size_t* count, size_t* bytes);

  SpinLock& lock() { return lock_; }

 private:
  SpinLock lock_{LockRank::kThreadRegistry};
  ObjectPool<ThreadCache> pool_;
  ThreadCache* first_ = nullptr;
  std::atomic<size_t> count_{0};  // Changes under the lock.
  pthread_key_t key_ = 0;
  bool has_key_ = false;
};

}  // namespace prairie

#endif  // PRAIRIE_ALLOCATOR_HEAP_THREAD_REGISTRY_H_
