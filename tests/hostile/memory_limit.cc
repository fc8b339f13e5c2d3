// Under a limit that the driver sets (RLIMIT_AS or RLIMIT_DATA): fills the memory until malloc says
// no, frees, and does it again. Arguments: the limit in bytes, the size of the blocks.
#include <sys/wait.h>

#include <new>

#include "tests/hostile/hostile.h"

namespace {

struct Node {
  Node* next;
};

size_t limit = 0;
Node* filled = nullptr;

// Allocates blocks of `size` until there is no more; returns how many bytes they hold.
size_t Fill(size_t size) {
  size_t total = 0;
  for (;;) {
    errno = 0;
    void* block = malloc(size);
    if (block == nullptr) break;
    memset(block, 0x11, size < 4096 ? size : 4096);
    filled = new (block) Node{filled};
    total += size;
    CHECK(total <= limit);  // It cannot be more than the limit.
  }
  CHECK(errno == ENOMEM);
  return total;
}

void FreeAll() {
  while (filled != nullptr) {
    Node* next = filled->next;
    free(filled);
    filled = next;
  }
}

void FreeSomeInHandler() {
  FreeAll();
  std::set_new_handler(nullptr);
}

// With the heap full, half of the limit cannot be had in any way.
void TryEveryEntryPointWhenFull() {
  const size_t half = limit / 2;
  for (int i = 0; i < 100; ++i) {
    errno = 0;
    CHECK(calloc(2, half / 2) == nullptr && errno == ENOMEM);
    errno = 0;
    CHECK(realloc(nullptr, half) == nullptr && errno == ENOMEM);
    errno = 0;
    CHECK(aligned_alloc(65536, half) == nullptr && errno == ENOMEM);
    CHECK(::operator new(half, std::nothrow) == nullptr);
    void* aligned = nullptr;
    CHECK(posix_memalign(&aligned, 65536, half) == ENOMEM);
    bool thrown = false;
    try {
      ::operator delete(::operator new(half));
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    CHECK(thrown);
  }
  // The handler frees, new succeeds.
  std::set_new_handler(FreeSomeInHandler);
  void* block = ::operator new(limit / 4);
  CHECK(filled == nullptr);
  memset(block, 1, limit / 4);
  ::operator delete(block);
}

// A request that no machine grants costs the program nothing but the answer.
void AskForFarTooMuch() {
  const size_t huge = SIZE_MAX > UINT32_MAX ? static_cast<size_t>(uint64_t{100} << 30) : 1 << 30;
  errno = 0;
  CHECK(malloc(huge) == nullptr && errno == ENOMEM);
  errno = 0;
  CHECK(aligned_alloc(65536, huge) == nullptr && errno == ENOMEM);
  Block block;
  block.Allocate(100000, 3);
  errno = 0;
  CHECK(realloc(block.address, huge) == nullptr && errno == ENOMEM);
  block.Free();
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 3);
  limit = strtoul(argv[1], nullptr, 10);
  const size_t size = strtoul(argv[2], nullptr, 10);
  size_t first = 0;
  for (int round = 0; round < 4; ++round) {
    const size_t total = Fill(size);
    if (round == 0) first = total;
    CHECK(total >= limit / 100 * 65);  // Most of what the limit grants is the program's.
    CHECK(total >= first / 100 * 90);  // And it does not wear out.
    if (round == 1) TryEveryEntryPointWhenFull();
    FreeAll();
    AskForFarTooMuch();
    // All of it can be had again in other sizes, among them one big block.
    void* big = malloc(first / 2);
    CHECK(big != nullptr);
    memset(big, 1, first / 2);
    free(big);
    Churn(static_cast<uint64_t>(round), 5000, kMegabyte);
    CHECK(Fill(size == 1000 ? 24 : 1000) >= limit / 100 * 50);
    FreeAll();
  }
  // A failing realloc keeps the block.
  Block block;
  block.Allocate(limit / 4, 7);
  errno = 0;
  CHECK(realloc(block.address, 2 * limit) == nullptr && errno == ENOMEM);
  block.Free();
  // A child that inherits a full heap can free and go on.
  Fill(size);
  const pid_t child = fork();
  if (child == 0) {
    FreeAll();
    Churn(9, 2000, kMegabyte);
    _exit(0);
  }
  FreeAll();
  if (child > 0) {
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
  return 0;
}
