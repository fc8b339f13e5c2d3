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

void ThreadCache::Install(SizeClass c, Magazine* magazine, uint32_t count, uint32_t cells) {
  ClassState& state = classes_[c];
  state.magazine = magazine;
  state.cells = static_cast<uint16_t>(cells);
  state.seen_top = nullptr;
  FreeObject** const first = magazine->cells();
  tops_[c] = first + count;
  limits_[c] = first + std::max(count, std::min<uint32_t>(state.capacity, cells));
}

void ThreadCache::Spare(SizeClass c) {
  ClassState& state = classes_[c];
  state.spare_count = static_cast<uint16_t>(Count(c));
  state.spare = state.magazine;
  state.spare_cells = state.cells;
}

void ThreadCache::Swap(SizeClass c) {
  ClassState& state = classes_[c];
  Magazine* const spare = state.spare;
  const uint32_t count = state.spare_count;
  const uint32_t cells = state.spare_cells;
  Spare(c);
  Install(c, spare, count, cells);
}

bool ThreadCache::TakeFullSpare(SizeClass c) {
  const ClassState& state = classes_[c];
  if (state.spare_count == 0 || Count(c) != 0 || !IsLargest(c) || IsLookDue()) return false;
  ++slow_calls;
  Swap(c);
  return true;
}

bool ThreadCache::TakeEmptySpare(SizeClass c) {
  const ClassState& state = classes_[c];
  if (state.spare == nullptr || state.spare_count != 0 || !IsLargest(c)) return false;
  ++slow_calls;
  Swap(c);
  return true;
}

Magazine* ThreadCache::TakeSpare(SizeClass c) {
  ClassState& state = classes_[c];
  Magazine* const spare = state.spare;
  if (spare != nullptr) spare->count = state.spare_count;
  state.spare = nullptr;
  state.spare_count = 0;
  return spare;
}

uint32_t ThreadCache::Grown(SizeClass c, const TransferCache& transfer) const {
  const uint32_t capacity = classes_[c].capacity;
  return std::min(capacity == 0 ? FirstCapacity(c) : 2 * capacity + 2, transfer.MostInMagazine());
}

bool ThreadCache::Refill(SizeClass c, TransferCache& transfer) {
  ClassState& state = classes_[c];
  Magazine* magazine = state.magazine;
  // What the caller did since it was empty may have come here.
  if (magazine != nullptr && PRAIRIE_UNLIKELY(Count(c) != 0)) return true;
  if (state.spare_count > 0) {
    Swap(c);
    return true;
  }
  if (PRAIRIE_UNLIKELY(state.went_unused)) {
    state.went_unused = false;
    transfer.Learn(state.went_at);
  }
  uint32_t wanted = Grown(c, transfer);
  if (magazine != nullptr) magazine->count = 0;
  if (magazine == nullptr || state.cells < wanted) {
    Magazine* const larger = transfer.magazines().Acquire(wanted);
    if (larger != nullptr) {
      transfer.magazines().Release(magazine);
      magazine = larger;
    } else if (magazine == nullptr) {
      return false;
    } else {
      wanted = state.cells;
    }
  }
  magazine = transfer.Take(magazine, wanted);
  const uint32_t count = magazine->count;
  if (count > 0) state.capacity = static_cast<uint16_t>(std::max(wanted, count));
  Install(c, magazine);
  return count > 0;
}

bool ThreadCache::MakeRoom(SizeClass c, TransferCache& transfer, ListFault* fault) {
  MagazineStore& store = transfer.magazines();
  ClassState& state = classes_[c];
  const uint32_t grown = Grown(c, transfer);
  if (state.magazine == nullptr) {
    Magazine* const magazine = store.Acquire(grown);
    if (magazine == nullptr) return false;
    state.capacity = static_cast<uint16_t>(grown);
    Install(c, magazine);
    return true;
  }
  const uint32_t count = Count(c);
  if (state.capacity < grown) {
    if (state.cells < grown) {
      if (Magazine* const larger = store.Acquire(grown); larger != nullptr) {
        Magazine* const full = state.magazine;
        std::copy_n(full->cells(), count, larger->cells());
        full->count = 0;
        store.Release(full);
        Install(c, larger, count, larger->capacity);
      }
    }
    if (count < state.cells) {
      state.capacity = static_cast<uint16_t>(grown);
      Install(c, state.magazine, count, state.cells);
      return true;
    }
  }
  state.capacity = static_cast<uint16_t>(grown);
  if (state.spare != nullptr && state.spare_count == 0) {
    Swap(c);
    return true;
  }
  Magazine* empty = TakeSpare(c);
  if (empty != nullptr) empty = transfer.Give(empty, fault);
  if (empty == nullptr) empty = store.Acquire(grown);
  if (empty != nullptr) {
    Spare(c);
    Install(c, empty);
    return true;
  }
  // No memory for another one: its objects go home.
  fault->Note(ReturnAll(c, transfer));
  Install(c, state.magazine, 0, state.cells);
  return true;
}

void ThreadCache::KeepForLast(SizeClass c, TransferCache& transfer) {
  const uint32_t capacity = classes_[c].capacity;
  Magazine* others = transfer.magazines().Acquire(capacity);
  if (others == nullptr) return;
  others = transfer.Take(others, capacity);
  if (others->count == 0) return transfer.magazines().Release(others);
  Spare(c);
  Install(c, others);
}

ListFault ThreadCache::ReturnAll(SizeClass c, TransferCache& transfer) {
  ListFault fault;
  ClassState& state = classes_[c];
  if (const uint32_t count = Count(c); count > 0) {
    fault.Note(transfer.central().Return(state.magazine->cells(), count));
  }
  if (state.spare_count > 0) {
    fault.Note(transfer.central().Return(state.spare->cells(), state.spare_count));
  }
  state.spare_count = 0;
  tops_[c] = state.magazine->cells();
  return fault;
}

void ThreadCache::ReturnUnused(SizeClass c, PageCount now, TransferCache& transfer,
                               ListFault* fault) {
  ClassState& state = classes_[c];
  if (tops_[c] != state.seen_top) {
    state.seen_top = tops_[c];
    state.seen_at = now;
    // A limit that came since may want it to be smaller: the next full magazine will be.
    state.capacity = std::min(state.capacity, static_cast<uint16_t>(transfer.MostInMagazine()));
    return;
  }
  if (cached_count(c) == 0 || now - state.seen_at < transfer.patience()) return;
  state.went_unused = true;
  state.went_at = transfer.turnover();
  fault->Note(ReturnAll(c, transfer));
  state.capacity = std::max<uint16_t>(state.capacity / 2, 1);
  Install(c, state.magazine, 0, state.cells);
}

ListFault ThreadCache::Flush(TransferCache* transfers, bool home) {
  ListFault fault;
  for (int i = 1; i < kSizeClassCount; ++i) {
    const SizeClass c = static_cast<SizeClass>(i);
    ClassState& state = classes_[c];
    if (state.magazine == nullptr) continue;
    if (home) fault.Note(ReturnAll(c, transfers[c]));
    state.magazine->count = Count(c);
    for (Magazine* each : {state.magazine, TakeSpare(c)}) {
      if (each != nullptr && each->count > 0) each = transfers[c].Give(each, &fault);
      transfers[c].magazines().Release(each);
    }
    state = {};
    tops_[c] = limits_[c] = nothing.cells();
  }
  return fault;
}

uint32_t ThreadCache::cached_count(SizeClass c) const {
  const ClassState& state = classes_[c];
  Magazine* const magazine = state.magazine;
  if (magazine == nullptr) return 0;
  // Its thread may be about to install another one.
  const size_t count = static_cast<size_t>(tops_[c] - magazine->cells());
  return (count <= MagazineStore::kLargest ? static_cast<uint32_t>(count) : 0) + state.spare_count;
}

}  // namespace prairie
