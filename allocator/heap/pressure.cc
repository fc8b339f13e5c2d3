// Prairie's own limit: what happens when the heap reaches it.
#include "allocator/heap/heap.h"

namespace prairie {

bool Heap::SetLimit(const CommitBounds& bounds) {
  if (!EnsureInitialized()) return false;
  page_heap_.SetLimit(bounds);
  const size_t counted = page_heap_.stats().counted_bytes;
  const auto exceeds = [counted](size_t bound) { return bound != 0 && counted > bound; };
  if (exceeds(bounds.soft) || exceeds(bounds.hard)) Trim(Release::kCharge);
  return true;
}

CommitBounds Heap::Limit() { return EnsureInitialized() ? page_heap_.limit() : CommitBounds{}; }

void Heap::RelievePressureNow() {
  if (!page_heap_.TakePressure()) return;
  // Perhaps the heap itself has enough that nobody uses.
  Trim(Release::kCharge);
  if (page_heap_.IsRelieved()) return;
  if (pressure_handler_.Call(PRAIRIE_PRESSURE_SOFT)) Trim(Release::kCharge);
}

}  // namespace prairie
