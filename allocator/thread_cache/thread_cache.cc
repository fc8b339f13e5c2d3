#include "allocator/thread_cache/thread_cache.h"

namespace prairie {
namespace {

// What a thread fetches when it first needs a class: little, or a program that uses each class a
// few times would touch memory that it never needs. With doubling, what fits magazines exactly.
uint32_t FirstCapacity(SizeClass c) {
  constexpr uint32_t kFirstBytes = 512;
  return std::max(kFirstBytes / kSizeClasses[c].size, 3u) - 2;
}

}  // namespace

constinit Magazine ThreadCache::nothing;

void ThreadCache::Install(SizeClass c, Magazine* magazine) {
  magazines_[c] = magazine;
  seen_tops_[c] = nullptr;
  FreeObject** const cells = magazine->cells();
  tops_[c] = cells + magazine->count;
  limits_[c] = cells + std::max(magazine->count, std::min(capacity_[c], magazine->capacity));
}

Magazine* ThreadCache::Counted(SizeClass c) {
  Magazine* const magazine = magazines_[c];
  magazine->count = static_cast<uint32_t>(tops_[c] - magazine->cells());
  return magazine;
}

uint32_t ThreadCache::Grown(SizeClass c, const TransferCache& transfer) const {
  const uint32_t doubled = capacity_[c] == 0 ? FirstCapacity(c) : 2 * capacity_[c] + 2;
  return std::min(doubled, transfer.MostInMagazine());
}

bool ThreadCache::Refill(SizeClass c, TransferCache& transfer) {
  Magazine* magazine = magazines_[c];
  if (magazine != nullptr) {
    magazine->count = 0;
    if (Magazine* const spare = spares_[c]; spare != nullptr && spare->count > 0) {
      spares_[c] = magazine;
      Install(c, spare);
      return true;
    }
  }
  if (PRAIRIE_UNLIKELY(went_unused_[c])) {
    went_unused_[c] = false;
    transfer.Learn(went_at_[c]);
  }
  uint32_t wanted = Grown(c, transfer);
  if (magazine == nullptr || magazine->capacity < wanted) {
    Magazine* const larger = transfer.magazines().Acquire(wanted);
    if (larger != nullptr) {
      transfer.magazines().Release(magazine);
      magazine = larger;
    } else if (magazine == nullptr) {
      return false;
    } else {
      wanted = magazine->capacity;
    }
  }
  magazine = transfer.Take(magazine, wanted);
  if (magazine->count > 0) capacity_[c] = std::max(wanted, magazine->count);
  Install(c, magazine);
  return magazine->count > 0;
}

bool ThreadCache::MakeRoom(SizeClass c, TransferCache& transfer, ListFault* fault) {
  MagazineStore& store = transfer.magazines();
  const uint32_t grown = Grown(c, transfer);
  Magazine* magazine = magazines_[c];
  if (magazine == nullptr) {
    magazine = store.Acquire(grown);
    if (magazine == nullptr) return false;
    capacity_[c] = grown;
    Install(c, magazine);
    return true;
  }
  Counted(c);
  if (capacity_[c] < grown) {
    if (magazine->capacity < grown) {
      if (Magazine* const larger = store.Acquire(grown); larger != nullptr) {
        std::copy_n(magazine->cells(), magazine->count, larger->cells());
        larger->count = magazine->count;
        magazine->count = 0;
        store.Release(magazine);
        magazine = larger;
      }
    }
    if (magazine->count < magazine->capacity) {
      capacity_[c] = grown;
      Install(c, magazine);
      return true;
    }
  }
  capacity_[c] = grown;
  Magazine* empty = spares_[c];
  if (empty != nullptr && empty->count > 0) empty = transfer.Give(empty, fault);
  if (empty == nullptr) empty = store.Acquire(grown);
  spares_[c] = empty == nullptr ? nullptr : magazine;
  if (empty == nullptr) {
    // No memory for another one: its objects go home.
    fault->Note(transfer.central().Return(magazine->cells(), magazine->count));
    magazine->count = 0;
    empty = magazine;
  }
  Install(c, empty);
  return true;
}

void ThreadCache::KeepForLast(SizeClass c, TransferCache& transfer) {
  Magazine* others = transfer.magazines().Acquire(capacity_[c]);
  if (others == nullptr) return;
  others = transfer.Take(others, capacity_[c]);
  if (others->count == 0) return transfer.magazines().Release(others);
  spares_[c] = Counted(c);
  Install(c, others);
}

void ThreadCache::ReturnUnused(SizeClass c, PageCount now, TransferCache& transfer,
                               ListFault* fault) {
  if (tops_[c] != seen_tops_[c]) {
    seen_tops_[c] = tops_[c];
    seen_at_[c] = now;
    return;
  }
  if (cached_count(c) == 0 || now - seen_at_[c] < transfer.patience()) return;
  went_unused_[c] = true;
  went_at_[c] = transfer.turnover();
  for (Magazine* const each : {Counted(c), spares_[c]}) {
    if (each == nullptr || each->count == 0) continue;
    fault->Note(transfer.central().Return(each->cells(), each->count));
    each->count = 0;
  }
  capacity_[c] = std::max(capacity_[c] / 2, 1u);
  Install(c, magazines_[c]);
}

ListFault ThreadCache::Flush(TransferCache* transfers, bool home) {
  ListFault fault;
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    if (magazines_[c] == nullptr) continue;
    for (Magazine* each : {Counted(c), spares_[c]}) {
      if (each != nullptr && each->count > 0) {
        if (home) {
          fault.Note(transfers[c].central().Return(each->cells(), each->count));
          each->count = 0;
        } else {
          each = transfers[c].Give(each, &fault);
        }
      }
      transfers[c].magazines().Release(each);
    }
    magazines_[c] = spares_[c] = nullptr;
    went_unused_[c] = false;
    capacity_[c] = 0;
    tops_[c] = limits_[c] = nothing.cells();
  }
  return fault;
}

uint32_t ThreadCache::cached_count(SizeClass c) const {
  Magazine* const magazine = magazines_[c];
  if (magazine == nullptr) return 0;
  // Its thread may be about to install another one.
  const size_t count = static_cast<size_t>(tops_[c] - magazine->cells());
  const Magazine* const spare = spares_[c];
  return (count <= magazine->capacity ? static_cast<uint32_t>(count) : 0) +
         (spare != nullptr ? spare->count : 0);
}

}  // namespace prairie
