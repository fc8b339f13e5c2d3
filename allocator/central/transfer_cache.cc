#include "allocator/central/transfer_cache.h"

#include <algorithm>

namespace prairie {

ObjectList TransferCache::Take(uint32_t most, ListFault* fault) {
  {
    SpinLockHolder holder(lock_);
    if (used_ > 0) return Pop();
  }
  return central_.Fetch(most, fault);
}

ListFault TransferCache::Give(ObjectList list) {
  if (list.count == 0) return {};
  {
    SpinLockHolder holder(lock_);
    if (used_ < (central_.frugal() ? kFrugalSlots : kSlots)) {
      lists_[used_++] = list;
      return {};
    }
  }
  return central_.Return(list);
}

ListFault TransferCache::Flush() {
  ListFault fault;
  // Others may go on giving meanwhile: what was there at the start is enough.
  for (uint32_t i = 0; i < kSlots; ++i) {
    ObjectList list;
    {
      SpinLockHolder holder(lock_);
      if (used_ == 0) return fault;
      list = Pop();
    }
    const ListFault found = central_.Return(list);
    if (fault.kind == ListFault::kNone) fault = found;
  }
  return fault;
}

uint32_t TransferCache::ReturnIdle(ListFault* fault) {
  ObjectList idle[kSlots];
  uint32_t count;
  {
    SpinLockHolder holder(lock_);
    count = (least_used_ + 1) / 2;
    std::copy_n(lists_, count, idle);
    std::copy(lists_ + count, lists_ + used_, lists_);
    used_ -= count;
    least_used_ = used_;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const ListFault found = central_.Return(idle[i]);
    if (fault->kind == ListFault::kNone) *fault = found;
  }
  return count;
}

size_t TransferCache::cached_count() {
  SpinLockHolder holder(lock_);
  size_t count = 0;
  for (uint32_t i = 0; i < used_; ++i) count += lists_[i].count;
  return count;
}

}  // namespace prairie
