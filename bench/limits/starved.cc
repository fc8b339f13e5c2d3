// A program whose heap is not alone: it fills a heap, frees half of it, starts 64 threads with
// stacks of 8 MiB, each of which allocates, and maps a file. A limit that this fits in is enough,
// unless the allocator has taken the addresses of the stacks for itself.
//
//   starved FILE
//
// FILE is mapped, shared and readable, as a whole. Prints `threads` and `mapped`.

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bench/limits/probe.h"

namespace {

constexpr size_t kThreads = 64;
constexpr size_t kHeap = 64 * probe::kMiB;

sem_t done_allocating;
sem_t may_end;

void* Work(void*) {
  probe::BlockList blocks;
  for (size_t i = 0; i < 64; i++) {
    if (!blocks.Add(1024)) probe::Fail("malloc in a thread", errno);
  }
  sem_post(&done_allocating);
  while (sem_wait(&may_end) != 0) {
  }
  blocks.FreeAll();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) probe::Fail("expects one argument", argc);
  sem_init(&done_allocating, 0, 0);
  sem_init(&may_end, 0, 0);
  probe::BlockList kept;
  probe::BlockList freed;
  for (size_t i = 0; kept.payload() < kHeap / 2; i++) {
    const size_t size = 16 + i * 97 % 8000;
    if (!kept.Add(size) || !freed.Add(size)) probe::Fail("malloc", errno);
  }
  freed.FreeAll();

  static pthread_t threads[kThreads];
  for (size_t i = 0; i < kThreads; i++) {
    const int error = probe::StartThread(&threads[i], 8 * probe::kMiB, Work, nullptr);
    if (error != 0) probe::Fail("pthread_create", error);
    while (sem_wait(&done_allocating) != 0) {
    }
  }
  const int file = open(argv[1], O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) probe::Fail("open", errno);
  const auto length = static_cast<size_t>(status.st_size);
  void* const mapped = mmap(nullptr, length, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) probe::Fail("mmap of a file", errno);

  for (size_t i = 0; i < kThreads; i++) sem_post(&may_end);
  for (size_t i = 0; i < kThreads; i++) pthread_join(threads[i], nullptr);
  munmap(mapped, length);
  kept.FreeAll();
  probe::Print("threads", kThreads);
  probe::Print("mapped", length);
  return 0;
}
