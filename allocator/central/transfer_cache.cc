#include "allocator/central/transfer_cache.h"

#include <algorithm>

namespace prairie {

Magazine* TransferCache::Take(Magazine* empty, uint32_t most) {
  Magazine* full = nullptr;
  {
    SpinLockHolder holder(lock_);
    if (used_ > 0) {
      last_use_ = central_.turnover();
      full = Pop();
      if (empty_count_ < kMostEmpty) {
        empty_[empty_count_++] = empty;
        return full;
      }
    } else if (PRAIRIE_UNLIKELY(went_unused_)) {
      went_unused_ = false;
      Learn(went_at_);
    }
  }
  if (full != nullptr) {
    magazines().Release(empty);
    return full;
  }
  empty->count = central_.Fetch(empty->cells(), most);
  return empty;
}

Magazine* TransferCache::Give(Magazine* full, ListFault* fault) {
  {
    SpinLockHolder holder(lock_);
    if (EnsureSlot()) {
      last_use_ = central_.turnover();
      Slot(used_++) = full;
      if (used_ == 1) central_.transferring().Set(central_.size_class(), true);
      Count(full->count, true);
      return empty_count_ > 0 ? empty_[--empty_count_] : nullptr;
    }
  }
  fault->Note(central_.Return(full->cells(), full->count));
  full->count = 0;
  return full;
}

bool TransferCache::EnsureSlot() {
  const uint32_t most = central_.frugal() ? kFrugalSlots : kSlots;
  if (PRAIRIE_UNLIKELY(used_ == 0 && slots_ < most)) {
    if (Magazine** const slots = magazines().AllocateSlots(most); slots != nullptr) {
      full_ = slots;
      slots_ = most;
      oldest_ = 0;
    }
  }
  return used_ < std::min(slots_, most);
}

void TransferCache::Count(uint32_t objects, bool in) {
  const size_t bytes = (in ? objects : -size_t{objects}) * central_.object_size();
  held_.store(held_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  central_.transferring().Add(bytes);
}

ListFault TransferCache::TakeApart(Magazine* full) {
  const ListFault fault = central_.Return(full->cells(), full->count);
  full->count = 0;
  magazines().Release(full);
  return fault;
}

void TransferCache::TakeApart(Magazine** full, uint32_t count, ListFault* fault) {
  for (uint32_t i = 0; i < count; ++i) fault->Note(TakeApart(full[i]));
}

ListFault TransferCache::Flush() {
  ListFault fault;
  // Others may go on giving meanwhile: what was there at the start is enough.
  for (uint32_t i = 0; i < kSlots; ++i) {
    Magazine* full;
    {
      SpinLockHolder holder(lock_);
      went_unused_ = false;
      if (used_ == 0) return fault;
      full = Pop();
    }
    fault.Note(TakeApart(full));
  }
  return fault;
}

uint32_t TransferCache::ReturnIdle(ListFault* fault) {
  Magazine* idle[kMostAtATime];
  uint32_t count;
  {
    SpinLockHolder holder(lock_);
    count = std::min((least_used_ + 1) / 2, kMostAtATime);
    RemoveOldest(count, idle);
    least_used_ = used_;
  }
  TakeApart(idle, count, fault);
  return count;
}

void TransferCache::Learn(PageCount went) {
  constexpr uint32_t kSoon = 8;
  const uint32_t patience = patience_.load(std::memory_order_relaxed);
  const bool soon = (central_.turnover() - went).value <= kSoon * patience;
  patience_.store(soon ? std::min(patience * 2, kMostPatience.value)
                       : std::max(patience / 2, kLeastPatience.value),
                  std::memory_order_relaxed);
}

void TransferCache::ReturnUnused(ListFault* fault) {
  if (held() == 0) return;
  Magazine* unused[kMostAtATime];
  uint32_t count;
  {
    SpinLockHolder holder(lock_);
    const PageCount now = central_.turnover();
    if (used_ == 0 || now - last_use_ < patience()) return;
    went_unused_ = true;
    went_at_ = now;
    count = std::min(used_, kMostAtATime);
    RemoveOldest(count, unused);
    least_used_ = std::min(least_used_, used_);
  }
  TakeApart(unused, count, fault);
}

bool TransferCache::ReturnNewest(ListFault* fault) {
  Magazine* newest;
  {
    SpinLockHolder holder(lock_);
    if (used_ == 0) return false;
    newest = Pop();
  }
  fault->Note(TakeApart(newest));
  return true;
}

void TransferCache::RemoveOldest(uint32_t count, Magazine** removed) {
  for (uint32_t i = 0; i < count; ++i) {
    removed[i] = Slot(i);
    Count(removed[i]->count, false);
  }
  if (count > 0) oldest_ = (oldest_ + count) & (slots_ - 1);
  used_ -= count;
  if (count > 0 && used_ == 0) central_.transferring().Set(central_.size_class(), false);
}

size_t TransferCache::cached_count() {
  SpinLockHolder holder(lock_);
  size_t count = 0;
  for (uint32_t i = 0; i < used_; ++i) count += Slot(i)->count;
  return count;
}

}  // namespace prairie
