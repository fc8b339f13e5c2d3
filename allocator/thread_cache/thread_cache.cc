#include "allocator/thread_cache/thread_cache.h"

#include <algorithm>
#include <initializer_list>

namespace prairie {
namespace {

// What a thread fetches when it first needs a class: little, or a program that uses each class a
// few times would touch memory that it never needs.
uint32_t FirstCapacity(SizeClass c) { return std::max(512 / kSizeClasses[c].size, 1u); }

}  // namespace

bool ThreadCache::Refill(SizeClass c, TransferCache& transfer, ListFault* fault) {
  ObjectList list = spares_[c];
  if (list.count > 0) {
    spares_[c] = {};
  } else {
    const uint32_t wanted =
        std::min(std::max(capacity_[c] * 2, FirstCapacity(c)), transfer.LongestList());
    list = transfer.Take(wanted, fault);
    if (list.count == 0) return false;
    capacity_[c] = std::max(wanted, list.count);
  }
  heads[c] = list.head;
  room[c] = capacity_[c] - list.count;
  return true;
}

ListFault ThreadCache::MakeRoom(SizeClass c, TransferCache& transfer) {
  const uint32_t most = transfer.LongestList();
  if (capacity_[c] < most) {
    const uint32_t grown = std::min(std::max(capacity_[c] * 2, FirstCapacity(c)), most);
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
