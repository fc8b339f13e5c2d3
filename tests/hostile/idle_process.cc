// A process that allocates much, frees nearly all of it but an object here and there, and then
// sleeps without a call of malloc: with background=1 its memory goes back all the same, in the
// parent and in a child of fork. The thread that does it takes none of the program's signals.
// Argument "refused": the first thread cannot be had, which is borne, and a second later tried
// again.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr size_t kObjectSize = 512;
constexpr size_t kObjects = 60 * kMegabyte / kObjectSize;
constexpr size_t kBlockSize = kMegabyte;
constexpr size_t kBlocks = 40;

void FillAndEmpty() {
  static void* objects[kObjects];
  static void* blocks[kBlocks];
  constexpr size_t kStays = 1024;  // one of so many: in 512 KiB
  for (void*& object : objects) {
    object = malloc(kObjectSize);
    CHECK(object != nullptr);
    memset(object, 1, kObjectSize);
  }
  for (void*& block : blocks) {
    block = malloc(kBlockSize);
    CHECK(block != nullptr);
    memset(block, 1, kBlockSize);
  }
  for (size_t i = 0; i < kObjects; ++i) {
    if (i % kStays != 0) free(objects[i]);
  }
  for (void* block : blocks) free(block);
}

// Sleeps, a minute at the most, until less than `bytes` are resident.
bool FallsBelow(size_t bytes) {
  for (int tenths = 0; tenths < 600; ++tenths) {
    if (ResidentBytes() < bytes) return true;
    usleep(100000);
  }
  return false;
}

int refusals = 0;
int refused = 0;

pthread_t signalled;
void Note(int) { signalled = pthread_self(); }

}  // namespace

// In the place of the C library's, for Prairie too.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*run)(void*), void* argument) noexcept {
  if (refused < refusals) {
    ++refused;
    return EAGAIN;
  }
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static Create* const create = reinterpret_cast<Create*>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, run, argument);
}

int main(int argc, char** argv) {
  const size_t at_start = ResidentBytes();
  if (argc > 1 && strcmp(argv[1], "refused") == 0) {
    refusals = 1;
    FillAndEmpty();
    CHECK(refused == 1);
    CHECK(Threads() == 1);
    sleep(2);
  }
  FillAndEmpty();
  CHECK(FallsBelow(at_start + 20 * kMegabyte));
  CHECK(Threads() == 2);
  // The main thread blocks it, so there is nobody to take it until it is let in.
  signal(SIGUSR1, Note);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  CHECK(kill(getpid(), SIGUSR1) == 0);
  usleep(50000);
  CHECK(signalled == 0);
  CHECK(pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
  CHECK(signalled == pthread_self());
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(Threads() == 1);
    FillAndEmpty();
    CHECK(FallsBelow(at_start + 20 * kMegabyte));
    CHECK(Threads() == 2);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  return 0;
}
