#include "allocator/arena/flat_region.h"

#include "allocator/base/pages.h"

namespace prairie {

void FlatRegion::Init(OsMemory& os, uintptr_t base, size_t capacity, bool reserved) {
  os_ = &os;
  base_ = base;
  capacity_ = RoundUp(capacity, os.PageSize());
  committed_ = 0;
  reserved_ = reserved;
}

bool FlatRegion::Grow(size_t bytes, size_t slack) {
  const size_t page = os_->PageSize();
  const size_t needed = RoundUp(bytes, page);
  if (needed > capacity_) return false;
  size_t wanted = RoundUp(bytes + slack, page);
  if (wanted > capacity_) wanted = capacity_;
  for (;;) {
    const uintptr_t begin = base_ + committed_;
    const size_t more = wanted - committed_;
    const MapResult result = reserved_ ? os_->Commit(begin, more) : os_->MapAt(begin, more);
    if (result == MapResult::kOk) {
      committed_ = wanted;
      return true;
    }
    if (wanted == needed) return false;
    wanted = needed;
  }
}

void FlatRegion::Trim(size_t bytes) {
  const size_t kept = RoundUp(bytes, os_->PageSize());
  if (kept >= committed_) return;
  const uintptr_t begin = base_ + kept;
  const size_t rest = committed_ - kept;
  if (reserved_ ? os_->Decommit(begin, rest) : os_->Unmap(begin, rest)) committed_ = kept;
}

bool FlatRegion::LeaveReserved() {
  if (!reserved_) return true;
  const size_t rest = capacity_ - committed_;
  if (rest != 0 && !os_->Unmap(base_ + committed_, rest)) return false;
  reserved_ = false;
  return true;
}

}  // namespace prairie
