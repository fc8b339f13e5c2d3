// Where a mapping lies: in Prairie's arena, if this process has one and it takes the mapping, else
// where the kernel likes.
#ifndef PRAIRIE_RUNTIME_MAPPING_PLACEMENT_H_
#define PRAIRIE_RUNTIME_MAPPING_PLACEMENT_H_

#include <stddef.h>
#include <stdint.h>

#include <cstddef>

#include "runtime/os/file_system.h"

namespace prairie {

// Addresses that are ours to map over: without access, and with a page without access behind them.
struct Placement {
  std::byte* begin = nullptr;
  size_t size = 0;   // for mappings: whole OS pages
  size_t guard = 0;  // behind them
  bool in_arena = false;
};

struct PlacementWish {
  size_t size = 0;       // bytes, not zero
  size_t alignment = 0;  // a power of two of at least an OS page
  bool in_arena = true;
  // What lookups in the arena answer with. It must live until the placement is given back.
  const char* name = "";
};

// 0 or errno.
int Place(FileSystem& files, const PlacementWish& wish, Placement* placement);

// How many bytes from the start hold something: pointers into these have a base.
void SetLive(const Placement& placement, size_t bytes);

// Takes away whatever is mapped there: the addresses stay ours, without access. errno if the kernel
// refuses; nothing has changed then.
int Clear(FileSystem& files, const Placement& placement);

// Gives up the addresses. REQUIRES: Clear was successful, or nothing was ever mapped.
void GiveBack(FileSystem& files, const Placement& placement);

// The same for a closed region in quarantine, with the kernel's own file system.
using GiveBackFunction = void (*)(uintptr_t begin, size_t size);
GiveBackFunction GiveBackLater(const Placement& placement);

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_MAPPING_PLACEMENT_H_
