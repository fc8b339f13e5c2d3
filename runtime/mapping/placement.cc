#include "runtime/mapping/placement.h"

#include <errno.h>

#include "prairie/prairie.h"

// A program that does not link the allocator has no arena: these are then null.
#pragma weak prairie_span_take
#pragma weak prairie_span_set_live
#pragma weak prairie_span_return

namespace prairie {
namespace {

size_t RoundUpTo(size_t value, size_t unit) { return (value + unit - 1) & ~(unit - 1); }

void* Pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

bool PlaceInArena(const PlacementWish& wish, Placement* placement) {
  if (prairie_span_take == nullptr) return false;
  const int saved_errno = errno;
  void* const begin = prairie_span_take(wish.size, wish.alignment, wish.name);
  errno = saved_errno;
  if (begin == nullptr) return false;
  // The arena has a guard of its own behind every such span.
  *placement = {static_cast<std::byte*>(begin), wish.size, 0, true};
  return true;
}

// Unmaps what alignment left over at either end.
int Trim(FileSystem& files, std::byte* reservation, size_t reserved, const Placement& placement) {
  const size_t before = static_cast<size_t>(placement.begin - reservation);
  const size_t after = reserved - before - placement.size - placement.guard;
  if (before != 0) {
    if (const int error = files.Unmap(reservation, before); error != 0) return error;
  }
  return after == 0 ? 0 : files.Unmap(placement.begin + placement.size + placement.guard, after);
}

}  // namespace

int Place(FileSystem& files, const PlacementWish& wish, Placement* placement) {
  const size_t page = files.PageSize();
  if (wish.size > PTRDIFF_MAX - 2 * wish.alignment - page) return ENOMEM;
  const size_t size = RoundUpTo(wish.size, page);
  if (wish.in_arena && PlaceInArena({size, wish.alignment, true, wish.name}, placement)) {
    return 0;
  }
  const size_t slack = wish.alignment > page ? wish.alignment : 0;
  const size_t reserved = size + page + slack;
  void* reservation = nullptr;
  int error = files.Map(&reservation, reserved, {.reserve = true});
  if (error != 0) return error;
  const uintptr_t begin =
      RoundUpTo(reinterpret_cast<uintptr_t>(reservation), slack == 0 ? page : wish.alignment);
  *placement = {static_cast<std::byte*>(Pointer(begin)), size, page, false};
  error = Trim(files, static_cast<std::byte*>(reservation), reserved, *placement);
  // Of what is left of it: unmapping an unmapped range is no error.
  if (error != 0) files.Unmap(reservation, reserved);
  return error;
}

void SetLive(const Placement& placement, size_t bytes) {
  if (placement.in_arena) prairie_span_set_live(placement.begin, bytes);
}

int Clear(FileSystem& files, const Placement& placement) {
  void* address = placement.begin;
  return files.Map(&address, placement.size, {.reserve = true});
}

void GiveBack(FileSystem& files, const Placement& placement) {
  if (placement.in_arena) {
    prairie_span_return(placement.begin);
  } else {
    // It can fail for want of mappings; the addresses then stay as they are, without access.
    files.Unmap(placement.begin, placement.size + placement.guard);
  }
}

GiveBackFunction GiveBackLater(const Placement& placement) {
  if (placement.in_arena)
    return [](uintptr_t begin, size_t) { prairie_span_return(Pointer(begin)); };
  return [](uintptr_t begin, size_t size) { SystemFiles().Unmap(Pointer(begin), size); };
}

}  // namespace prairie
