// What the kernel has written down about huge pages for the mappings of the arena. Argument: "nh"
// if all writable ones must have that flag of VmFlags, "none" if none may. Prairie's options are
// the driver's. There is to be one writable mapping, however often the heap grew: it stays smaller
// than those for which Prairie asks for huge pages. Argument "early": in a heap of many small
// objects what came before huge pages is asked for as well, the first page of the arena above all.
#include "tests/hostile/hostile.h"

namespace {

struct Seen {
  int writable = 0;
  int marked = 0;              // of these
  bool first_is_huge = false;  // They were asked for in the mapping at the arena's base.
};

// As much as nobody else is in. The arrays of the arena lie below its base.
constexpr size_t kArenaSize =
    kNarrowAddresses ? 512 * kMegabyte : static_cast<size_t>(uint64_t{1} << 40);

// Reads /proc/self/smaps.
Seen LookAtArena(uintptr_t base) {
  Seen seen;
  FILE* const file = fopen("/proc/self/smaps", "r");
  CHECK(file != nullptr);
  static char buffer[1 << 16];
  setvbuf(file, buffer, _IOFBF, sizeof(buffer));
  char line[1024];
  bool ours = false, first = false;
  while (fgets(line, sizeof(line), file) != nullptr) {
    unsigned long begin = 0, end = 0;
    char access[5] = "";
    if (sscanf(line, "%lx-%lx %4s", &begin, &end, access) == 3) {
      ours = begin >= base && end <= base + kArenaSize && strcmp(access, "rw-p") == 0;
      first = ours && begin == base;
      if (ours) ++seen.writable;
    } else if (ours && strncmp(line, "VmFlags:", 8) == 0) {
      if (strstr(line, " nh") != nullptr) ++seen.marked;
      if (first && strstr(line, " hg") != nullptr) seen.first_is_huge = true;
    }
  }
  fclose(file);
  return seen;
}

bool AreForbidden() {
  FILE* const file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
  if (file == nullptr) return true;
  char line[256] = "";
  const bool read = fgets(line, sizeof(line), file) != nullptr;
  fclose(file);
  return !read || strstr(line, "[never]") != nullptr;
}

int CheckEarlyOnes() {
  constexpr size_t kSize = 512;
  for (size_t made = 0; made < 48 * kMegabyte; made += kSize) {
    void* const object = malloc(kSize);
    CHECK(object != nullptr);
    memset(object, 1, kSize);
  }
  CHECK(LookAtArena(kArenaHint).first_is_huge);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2);
  if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0) {
    puts("this kernel has no transparent huge pages");
    return 77;
  }
  if (strcmp(argv[1], "early") == 0) {
    const char* const options = getenv("PRAIRIE_OPTIONS");
    const bool unreserved = options != nullptr && strstr(options, "arena=unreserved") != nullptr;
    if (!unreserved && !AreForbidden()) return CheckEarlyOnes();
    puts(unreserved ? "only an arena that is reserved has any"
                    : "the administrator permits no huge pages");
    return 77;
  }
  const bool marked = strcmp(argv[1], "nh") == 0;
  constexpr int kBlocks = 64;
  static void* blocks[kBlocks];
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kBlocks; ++i) {
      blocks[i] = malloc(static_cast<size_t>(i + 1) * 10 * kKilobyte);
      CHECK(blocks[i] != nullptr);
      memset(blocks[i], 1, 100);
    }
    const uintptr_t base = kArenaHint;
    CHECK(InArena(blocks[0]));
    const Seen seen = LookAtArena(base);
    // Huge pages are asked for from some size of the heap on: one mapping below, one above.
    CHECK(seen.writable == 1 || (!marked && seen.writable == 2));
    CHECK(seen.marked == (marked ? 1 : 0));
    for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  }
  return 0;
}
