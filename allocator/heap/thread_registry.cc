#include "allocator/heap/thread_registry.h"

#include <new>

namespace prairie {

void ThreadRegistry::Init(MetadataAllocator& metadata, void (*on_exit)(void* cache)) {
  pool_.Init(metadata);
  // Without a key (PTHREAD_KEYS_MAX reached) the caches of ended threads are not reused.
  if (!has_key_) has_key_ = pthread_key_create(&key_, on_exit) == 0;
}

ThreadCache* ThreadRegistry::Create() {
  SpinLockHolder holder(lock_);
  void* const memory = pool_.Acquire();
  if (memory == nullptr) return nullptr;
  ThreadCache* const cache = new (memory) ThreadCache();
  cache->next = first_;
  if (first_ != nullptr) first_->previous = cache;
  first_ = cache;
  ++count_;
  return cache;
}

void ThreadRegistry::ArmExit(ThreadCache* cache) {
  // Fails only for want of memory; the cache is then lost when its thread ends.
  if (has_key_) pthread_setspecific(key_, cache);
}

void ThreadRegistry::Destroy(ThreadCache* cache) {
  SpinLockHolder holder(lock_);
  (cache->previous != nullptr ? cache->previous->next : first_) = cache->next;
  if (cache->next != nullptr) cache->next->previous = cache->previous;
  --count_;
  pool_.Release(cache);
}

void ThreadRegistry::KeepOnly(ThreadCache* cache) {
  first_ = cache;
  count_ = cache == nullptr ? 0 : 1;
  if (cache != nullptr) cache->next = cache->previous = nullptr;
}

void ThreadRegistry::CountRecent(size_t* count, size_t* bytes) {
  SpinLockHolder holder(lock_);
  *count = *bytes = 0;
  for (const ThreadCache* cache = first_; cache != nullptr; cache = cache->next) {
    *count += cache->recent.count();
    *bytes += cache->recent.pages().bytes();
  }
}

size_t ThreadRegistry::cached_count(SizeClass c) {
  SpinLockHolder holder(lock_);
  size_t count = 0;
  for (const ThreadCache* cache = first_; cache != nullptr; cache = cache->next) {
    count += cache->cached_count(c);
  }
  return count;
}

}  // namespace prairie
