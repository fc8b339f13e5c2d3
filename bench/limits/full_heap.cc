// What happens when the heap is full. Each of these has broken an allocator.
//
//   full_heap new      operator new, until it throws; then frees everything, and it works again
//   full_heap thread   malloc to NULL, then the first malloc of a thread that was started before
//   full_heap tenth    1 KiB blocks to NULL; every tenth is freed: how many are to be had again?
//
// Prints `payload` in bytes, and for `tenth` also `freed` and `again`, numbers of blocks. Exits
// with 0 when operator new threw std::bad_alloc, and when malloc in the thread returned NULL or a
// block.

#include <semaphore.h>
#include <sys/resource.h>

#include <new>

#include "bench/limits/probe.h"

namespace {

constexpr size_t kBlock = 1024;

struct Link {
  Link* next;
  char rest[kBlock - sizeof(Link*)];
};

void TryNew() {
  Link* blocks = nullptr;
  size_t payload = 0;
  for (int round = 0; round < 2; round++) {
    payload = 0;
    try {
      for (;;) {
        Link* const block = new Link;
        block->next = blocks;
        blocks = block;
        payload += sizeof(Link);
      }
    } catch (const std::bad_alloc&) {
    }
    while (blocks != nullptr) {
      Link* const next = blocks->next;
      delete blocks;
      blocks = next;
    }
  }
  probe::Print("payload", payload);
}

sem_t full;

void* FirstMalloc(void*) {
  while (sem_wait(&full) != 0) {
  }
  for (size_t size = 1; size < (size_t{1} << 20); size *= 2) {
    auto* const block = static_cast<volatile char*>(std::malloc(size));
    if (block != nullptr) block[size - 1] = 1;
    std::free(const_cast<char*>(block));
  }
  return nullptr;
}

void TryThread() {
  sem_init(&full, 0, 0);
  pthread_t thread;
  const int error = probe::StartThread(&thread, size_t{256} << 10, FirstMalloc, nullptr);
  if (error != 0) probe::Fail("pthread_create", error);
  probe::BlockList blocks;
  while (blocks.Add(kBlock)) {
  }
  while (blocks.Add(16)) {
  }
  probe::Print("payload", blocks.payload());
  sem_post(&full);
  pthread_join(thread, nullptr);
  blocks.FreeAll();
}

void TryTenth() {
  auto* first = static_cast<Link*>(std::malloc(sizeof(Link)));
  if (first == nullptr) probe::Fail("malloc", errno);
  first->next = nullptr;
  size_t blocks = 1;
  while (auto* const block = static_cast<Link*>(std::malloc(sizeof(Link)))) {
    block->next = first;
    first = block;
    blocks++;
  }
  size_t freed = 0;
  size_t number = 0;
  for (Link* block = first; block != nullptr; block = block->next) {
    if (++number % 10 != 0 || block->next == nullptr) continue;
    Link* const tenth = block->next;
    block->next = tenth->next;
    std::free(tenth);
    freed++;
  }
  size_t again = 0;
  while (std::malloc(sizeof(Link)) != nullptr) again++;
  probe::Print("payload", blocks * sizeof(Link));
  probe::Print("freed", freed);
  probe::Print("again", again);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) probe::Fail("expects one argument", argc);
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    probe::Fail("not started under a limit, which alone would stop it", 0);
  }
  if (std::strcmp(argv[1], "new") == 0) {
    TryNew();
  } else if (std::strcmp(argv[1], "thread") == 0) {
    TryThread();
  } else if (std::strcmp(argv[1], "tenth") == 0) {
    TryTenth();
  } else {
    probe::Fail("not new, thread or tenth: argument", 1);
  }
  return 0;
}
