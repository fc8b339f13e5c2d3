#include "allocator/arena/flat_region.h"

#include "allocator/base/pages.h"

namespace prairie {

bool FlatRegion::Grow(size_t bytes, size_t slack) {
  const size_t page = os_->PageSize();
  const size_t needed = RoundUp(bytes, page);
  if (needed > capacity_) return false;
  size_t wanted = RoundUp(bytes + slack, page);
  if (wanted > capacity_) wanted = capacity_;
  for (;;) {
    if (os_->MapAt(base_ + committed_, wanted - committed_) == MapResult::kOk) {
      committed_ = wanted;
      return true;
    }
    if (wanted == needed) return false;
    wanted = needed;
  }
}

}  // namespace prairie
