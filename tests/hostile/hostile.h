// What the programs of this folder share. Each is a process that is unkind to its malloc in one
// way; it exits with status 0, silently unless the driver's table says otherwise, when malloc bore
// it.
#ifndef TESTS_HOSTILE_HOSTILE_H_
#define TESTS_HOSTILE_HOSTILE_H_

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// Ends the process with status 1 and a line on stderr, without help from malloc or from
// destructors.
#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      dprintf(2, "%s:%d: not true: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      _exit(1);                                                                              \
    }                                                                                        \
  } while (false)

inline constexpr size_t kKilobyte = 1024;
inline constexpr size_t kMegabyte = 1024 * kKilobyte;
inline constexpr size_t kGigabyte = 1024 * kMegabyte;
inline constexpr bool kNarrowAddresses = sizeof(void*) == 4;

// Of this process.
inline size_t ResidentBytes() {
  FILE* const file = fopen("/proc/self/statm", "r");
  CHECK(file != nullptr);
  static char buffer[256];
  setvbuf(file, buffer, _IOFBF, sizeof(buffer));
  unsigned long all = 0, resident = 0;
  CHECK(fscanf(file, "%lu %lu", &all, &resident) == 2);
  fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Of this process.
inline int Threads() {
  DIR* const tasks = opendir("/proc/self/task");
  CHECK(tasks != nullptr);
  int count = 0;
  while (const dirent* const entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

// Where the arena begins if nothing is in its way.
inline constexpr uintptr_t kArenaHint =
    static_cast<uintptr_t>(kNarrowAddresses ? 0x0cc00000 : 0xf800000000);

// Whether a block is Prairie's: it lies at the hint or, if somebody is there, some TiB behind it,
// with nobody else in the first 64 GiB. In 32 bits: in the first GiB of a heap that is not large.
inline bool InArena(const void* block) {
  const uint64_t offset = reinterpret_cast<uintptr_t>(block) - uint64_t{kArenaHint};
  if (kNarrowAddresses) return offset >> 30 == 0;
  return offset >> 40 < 5 && (offset & ((uint64_t{1} << 40) - 1)) >> 36 == 0;
}

inline void Say(const char* line) {
  CHECK(write(1, line, strlen(line)) > 0 && write(1, "\n", 1) == 1);
}

inline bool InUnreservedMode() {
  const char* options = getenv("PRAIRIE_OPTIONS");
  return options != nullptr && strstr(options, "arena=unreserved") != nullptr;
}

// A small random number generator, so that nothing here allocates by accident.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761 + 1) {}
  uint32_t Next() {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<uint32_t>(state_ >> 33);
  }
  uint32_t Below(uint32_t bound) { return Next() % bound; }

 private:
  uint64_t state_;
};

// A block that knows its contents: the first and last bytes are enough to notice an overlap.
struct Block {
  unsigned char* address = nullptr;
  size_t size = 0;
  unsigned char mark = 0;

  void Allocate(size_t new_size, unsigned char new_mark) {
    address = static_cast<unsigned char*>(malloc(new_size));
    CHECK(address != nullptr);
    Mark(new_size, new_mark);
  }
  void Mark(size_t new_size, unsigned char new_mark) {
    size = new_size;
    mark = new_mark;
    memset(address, mark, size < 256 ? size : 256);
    if (size > 256) memset(address + size - 256, mark, 256);
  }
  void Verify() const {
    for (size_t i = 0; i < size && i < 256; ++i)
      CHECK(address[i] == mark && address[size - 1 - i] == mark);
  }
  void Free() {
    if (address != nullptr) Verify();
    free(address);
    address = nullptr;
    size = 0;
  }
};

// Allocates, reallocates and frees at random, mostly small, and looks after the contents. Uses no
// lock and no stack to speak of. `largest` bounds the sizes.
inline void Churn(uint64_t seed, int steps, size_t largest = 100 * kKilobyte) {
  Random random(seed);
  Block blocks[64];
  for (int step = 0; step < steps; ++step) {
    Block& block = blocks[random.Below(64)];
    const uint32_t dice = random.Below(16);
    size_t size = 1 + random.Below(dice == 0 ? static_cast<uint32_t>(largest) : 600);
    if (size > largest) size = largest;
    const auto mark = static_cast<unsigned char>(random.Next());
    if (dice == 1 && block.address != nullptr) {
      block.Verify();
      const size_t kept = size < block.size ? size : block.size;
      block.address = static_cast<unsigned char*>(realloc(block.address, size));
      CHECK(block.address != nullptr);
      for (size_t i = 0; i < kept && i < 256; ++i) CHECK(block.address[i] == block.mark);
      block.Mark(size, mark);
    } else if (dice == 2) {
      block.Free();
      block.address = static_cast<unsigned char*>(calloc(1, size));
      CHECK(block.address != nullptr);
      for (size_t i = 0; i < size; ++i) CHECK(block.address[i] == 0);
      block.Mark(size, mark);
    } else {
      block.Free();
      block.Allocate(size, mark);
    }
  }
  for (Block& block : blocks) block.Free();
}

// A line of /proc/self/status that counts kilobytes, in bytes: "VmRSS", "VmHWM", "VmSize",
// "VmData".
inline size_t ProcessMemory(const char* key) {
  char text[8192];
  FILE* file = fopen("/proc/self/status", "r");
  CHECK(file != nullptr);
  setvbuf(file, nullptr, _IONBF, 0);
  const size_t length = fread(text, 1, sizeof(text) - 1, file);
  fclose(file);
  text[length] = '\0';
  const char* line = strstr(text, key);
  CHECK(line != nullptr);
  return strtoul(line + strlen(key) + 1, nullptr, 10) * kKilobyte;
}

#endif  // TESTS_HOSTILE_HOSTILE_H_
