// A limit on the address space that moves while the program runs.
//
//   moving_limit lower   starts without a limit, allocates 64 MiB, sets 256 MiB, fills to NULL
//   moving_limit raise   is started under 128 MiB, fills to NULL, sets 512 MiB, fills to NULL
//   moving_limit below   allocates 128 MiB, sets 64 MiB: malloc may say NULL, but free works, and
//                        after a free so does a small malloc; sets 512 MiB, fills to NULL
//
// Prints `payload`, what was allocated when the last NULL came; `limit`, the limit at that moment;
// `stack` and `map`, each 1 when, after a quarter of it was freed, a thread with a stack of 8 MiB
// could start, and 8 MiB could be mapped. All in bytes; blocks are of 1 KiB.

#include <sys/mman.h>
#include <sys/resource.h>

#include "bench/limits/probe.h"

namespace {

constexpr size_t kBlock = 1024;

void SetLimit(size_t mib) {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0) probe::Fail("getrlimit", errno);
  limit.rlim_cur = mib * probe::kMiB;
  if (setrlimit(RLIMIT_AS, &limit) != 0) probe::Fail("setrlimit", errno);
}

void Allocate(probe::BlockList* blocks, size_t mib) {
  while (blocks->payload() < mib * probe::kMiB) {
    if (!blocks->Add(kBlock)) probe::Fail("malloc far from the limit", errno);
  }
}

void FillToNull(probe::BlockList* blocks, size_t limit_mib) {
  while (blocks->payload() < limit_mib * probe::kMiB && blocks->Add(kBlock)) {
  }
  probe::Print("payload", blocks->payload());
  probe::Print("limit", limit_mib * probe::kMiB);
}

void FreeDownTo(probe::BlockList* blocks, size_t bytes) {
  while (blocks->payload() > bytes) blocks->FreeFirst();
}

void* Nothing(void* argument) { return argument; }

// What others want to have, once a good part of the heap is free again.
void TryOthers() {
  pthread_t thread;
  const bool started = probe::StartThread(&thread, 8 * probe::kMiB, Nothing, nullptr) == 0;
  if (started) pthread_join(thread, nullptr);
  probe::Print("stack", started);
  void* const mapped =
      mmap(nullptr, 8 * probe::kMiB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  probe::Print("map", mapped != MAP_FAILED);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) probe::Fail("expects one argument", argc);
  probe::BlockList blocks;
  size_t limit_mib = 0;
  if (std::strcmp(argv[1], "lower") == 0) {
    Allocate(&blocks, 64);
    limit_mib = 256;
    SetLimit(limit_mib);
  } else if (std::strcmp(argv[1], "raise") == 0) {
    while (blocks.payload() < 128 * probe::kMiB && blocks.Add(kBlock)) {
    }
    if (blocks.payload() >= 128 * probe::kMiB) probe::Fail("not started under a limit", 0);
    limit_mib = 512;
    SetLimit(limit_mib);
  } else if (std::strcmp(argv[1], "below") == 0) {
    Allocate(&blocks, 128);
    SetLimit(64);
    // 256 MiB fit nowhere; a few small blocks may or may not fit into what is mapped already.
    if (std::malloc(256 * probe::kMiB) != nullptr) probe::Fail("a block beyond the limit", 0);
    probe::BlockList more;
    for (size_t i = 0; i < 1000 && more.Add(100 + i); i++) {
    }
    more.FreeAll();
    FreeDownTo(&blocks, 32 * probe::kMiB);
    void* const after_free = std::malloc(kBlock);
    if (after_free == nullptr) probe::Fail("malloc after 96 MiB were freed", errno);
    std::free(after_free);
    limit_mib = 512;
    SetLimit(limit_mib);
  } else {
    probe::Fail("not lower, raise or below: argument", 1);
  }
  FillToNull(&blocks, limit_mib);
  FreeDownTo(&blocks, blocks.payload() / 4 * 3);
  TryOthers();
  blocks.FreeAll();
  return 0;
}
