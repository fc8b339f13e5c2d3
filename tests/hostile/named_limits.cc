// Runs into the limit that the argument names, in its own way, and asks which one it was. The
// driver has set RLIMIT_AS, RLIMIT_DATA or limit=; what else is needed is done here.
#include <sys/mman.h>

#include <new>

#include "prairie/prairie.h"
#include "tests/hostile/hostile.h"

// Of the preloaded library.
extern "C" int prairie_last_failure(struct prairie_failure* failure) __attribute__((weak));

namespace {

constexpr size_t kBlock = 1000000;
constexpr size_t kPage = 4096;
constexpr int kSkipped = 77;

struct Node {
  Node* next;
};

prairie_failure LastFailure() {
  prairie_failure failure;
  CHECK(prairie_last_failure(&failure) == 0);
  return failure;
}

// Fills the memory with blocks until there is no more, and frees them; returns what they held.
size_t FillAndFree() {
  Node* filled = nullptr;
  size_t total = 0;
  for (;;) {
    errno = 0;
    void* block = malloc(kBlock);
    if (block == nullptr) break;
    filled = new (block) Node{filled};
    total += kBlock;
  }
  CHECK(errno == ENOMEM);
  while (filled != nullptr) {
    Node* next = filled->next;
    free(filled);
    filled = next;
  }
  return total;
}

void CheckFailure(const prairie_failure& failure, const char* name, size_t requested) {
  if (strcmp(failure.name, name) != 0) dprintf(2, "it was %s\n", failure.name);
  CHECK(strcmp(failure.name, name) == 0);
  CHECK(failure.requested == requested);
  CHECK(failure.count >= 1);
}

// A limit that counts bytes, `limit` of them.
void HitBytes(const char* name, size_t limit) {
  CHECK(LastFailure().kind == PRAIRIE_LIMIT_NONE);
  const size_t total = FillAndFree();
  const prairie_failure failure = LastFailure();
  CheckFailure(failure, name, kBlock);
  CHECK(failure.limit == limit);
  CHECK(failure.used <= limit && failure.used >= total);
  CHECK(limit - failure.used < kBlock + kMegabyte);
  CHECK(failure.count == 1);
}

size_t MostMappings() {
  FILE* file = fopen("/proc/sys/vm/max_map_count", "r");
  size_t most = 0;
  CHECK(file != nullptr && fscanf(file, "%zu", &most) == 1);
  fclose(file);
  return most;
}

void HitMappings() {
  const size_t most = MostMappings();
  if (most > 1000000) {
    Say("vm.max_map_count is more than a million: making that many mappings takes too long");
    _exit(kSkipped);
  }
  void* const before = malloc(100);
  free(before);
  const size_t size = (most + 1000) * kPage;
  auto* region = static_cast<char*>(
      mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  CHECK(region != MAP_FAILED);
  // Every second page differs from its neighbours.
  for (size_t at = kPage; at < size; at += 2 * kPage) {
    if (mprotect(region + at, kPage, PROT_READ) != 0) break;
  }
  CHECK(errno == ENOMEM);
  // What is left: mappings that nothing merges with.
  void* last[8] = {};
  size_t count = 0;
  for (; count < 8; ++count) {
    last[count] = mmap(nullptr, kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (last[count] == MAP_FAILED) break;
  }
  CHECK(count < 8);
  // Far from each other, so that no mapping can be made longer; a few that the heap can give up
  // itself may make room for as many.
  void* blocks[16];
  int got = 0;
  errno = 0;
  for (; got < 16; ++got) {
    blocks[got] = aligned_alloc(64 * kMegabyte, kMegabyte);
    if (blocks[got] == nullptr) break;
  }
  const int error = errno;
  const prairie_failure failure = LastFailure();
  for (size_t i = 0; i < count; ++i) munmap(last[i], kPage);
  CHECK(munmap(region, size) == 0);
  CHECK(got < 16 && error == ENOMEM);
  CheckFailure(failure, "vm.max_map_count", kMegabyte);
  CHECK(failure.limit == most);
  CHECK(failure.used + 8 >= most && failure.used < most + 8);
  void* const after = aligned_alloc(64 * kMegabyte, kMegabyte);
  CHECK(after != nullptr);
  free(after);
  while (got > 0) free(blocks[--got]);
}

void HitWindow() {
  constexpr auto kHuge = static_cast<size_t>(kNarrowAddresses ? 0xfff00000 : 1ULL << 60);
  volatile size_t huge = kHuge;
  errno = 0;
  CHECK(malloc(huge) == nullptr && errno == ENOMEM);
  CheckFailure(LastFailure(), "window", kHuge);
}

}  // namespace

// Arguments: the name of the limit; its size in bytes if it is one of bytes.
int main(int argc, char** argv) {
  CHECK(argc >= 2 && prairie_last_failure != nullptr);
  if (argc == 3) {
    HitBytes(argv[1], strtoul(argv[2], nullptr, 10));
  } else if (strcmp(argv[1], "window") == 0) {
    HitWindow();
  } else {
    HitMappings();
  }
  Churn(1, 5000);
  return 0;
}
