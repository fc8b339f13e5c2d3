#include "allocator/central/magazine.h"

#include <new>

namespace prairie {
namespace {

constexpr uint32_t CapacityOf(size_t bytes) {
  return static_cast<uint32_t>((bytes - sizeof(Magazine)) / sizeof(FreeObject*));
}
static_assert(CapacityOf(2048) >= MagazineStore::kLargest);

}  // namespace

// mark ^ self is neither odd, as all keys are, nor zero, as the key is until the heap is
// initialized.
constinit FreeObject no_object{2, 0};

Magazine* MagazineStore::Acquire(uint32_t capacity) {
  int index = 0;
  while (CapacityOf(kSmallestBytes << index) < capacity) ++index;
  {
    SpinLockHolder holder(lock_);
    if (Magazine* const magazine = empty_[index]; magazine != nullptr) {
      empty_[index] = magazine->next();
      return magazine;
    }
  }
  void* const memory = metadata_->Allocate(kSmallestBytes << index);
  if (memory == nullptr) return nullptr;
  return new (memory) Magazine{CapacityOf(kSmallestBytes << index)};
}

void MagazineStore::Release(Magazine* magazine) {
  if (magazine == nullptr) return;
  int index = 0;
  while (CapacityOf(kSmallestBytes << index) < magazine->capacity) ++index;
  SpinLockHolder holder(lock_);
  magazine->next() = empty_[index];
  empty_[index] = magazine;
}

}  // namespace prairie
