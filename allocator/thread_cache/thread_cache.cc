#include "allocator/thread_cache/thread_cache.h"

#include <algorithm>
#include <initializer_list>

namespace prairie {
namespace {

// What a thread fetches when it first needs a class: little, or a program that uses each class a
// few times would touch memory that it never needs.
uint32_t FirstCapacity(const SizeClassInfo& info) {
  return std::clamp<uint32_t>(512 / info.size, 1, info.max_list);
}

}  // namespace

bool ThreadCache::Refill(SizeClass c, TransferCache& transfer, ListFault* fault) {
  const SizeClassInfo& info = kSizeClasses[c];
  ObjectList list = spares_[c];
  if (list.count > 0) {
    spares_[c] = {};
  } else {
    const uint32_t wanted =
        capacity_[c] == 0 ? FirstCapacity(info) : std::min(capacity_[c] * 2, info.max_list);
    list = transfer.Take(wanted, fault);
    if (list.count == 0) return false;
    capacity_[c] = std::max(wanted, list.count);
  }
  heads[c] = list.head;
  room[c] = capacity_[c] - list.count;
  return true;
}

ListFault ThreadCache::MakeRoom(SizeClass c, TransferCache& transfer) {
  const SizeClassInfo& info = kSizeClasses[c];
  if (capacity_[c] < info.max_list) {
    const uint32_t grown =
        capacity_[c] == 0 ? FirstCapacity(info) : std::min(capacity_[c] * 2, info.max_list);
    room[c] += grown - capacity_[c];
    capacity_[c] = grown;
    return {};
  }
  const ObjectList full = {heads[c], capacity_[c] - room[c]};
  const ObjectList spare = spares_[c];
  spares_[c] = full;
  heads[c] = nullptr;
  room[c] = capacity_[c];
  return transfer.Give(spare);
}

ListFault ThreadCache::Flush(TransferCache* transfers) {
  ListFault fault;
  for (int c = 1; c < kSizeClassCount; ++c) {
    const ObjectList list = {heads[c], capacity_[c] - room[c]};
    const ObjectList spare = spares_[c];
    heads[c] = nullptr;
    capacity_[c] = 0;
    room[c] = 0;
    spares_[c] = {};
    for (const ObjectList& each : {list, spare}) {
      const ListFault found = transfers[c].Give(each);
      if (fault.kind == ListFault::kNone) fault = found;
    }
  }
  return fault;
}

}  // namespace prairie
