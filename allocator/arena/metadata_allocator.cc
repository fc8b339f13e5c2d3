#include "allocator/arena/metadata_allocator.h"

#include <algorithm>

#include "allocator/base/pages.h"

namespace prairie {

void* MetadataAllocator::Allocate(size_t size) {
  SpinLockHolder holder(lock_);
  const size_t alignment = size >= kCacheLineSize ? kCacheLineSize : 16;
  const size_t start = RoundUp(used_, alignment);
  // In few steps, and never far ahead.
  const size_t slack = std::max(slack_, used_ / 8);
  if (!region_.EnsureBytes(start + size, slack)) return nullptr;
  used_ = start + size;
  return reinterpret_cast<void*>(region_.base() + start);
}

}  // namespace prairie
