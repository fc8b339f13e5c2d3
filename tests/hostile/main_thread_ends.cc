// A program whose main thread ends first: the process ends with its last thread, although Prairie
// has one of its own (background=1), and with the status of success. Its exit handlers have room on
// the stack and can be interrupted. Should it not end, the driver's time is over. Argument "lost":
// a thread before them has left a cache behind, which it made in its last destructor.
#include <pthread.h>
#include <signal.h>

#include "prairie/prairie.h"
#include "tests/hostile/hostile.h"

// Of the preloaded library.
extern "C" int prairie_get_stats(struct prairie_stats* stats, size_t size) __attribute__((weak));

namespace {

pthread_key_t key;
int rounds_left = PTHREAD_DESTRUCTOR_ITERATIONS;

void AllocateLast(void* value) {
  CHECK(pthread_setspecific(key, value) == 0);
  if (--rounds_left > 0) return;
  void* volatile const block = malloc(100);
  CHECK(block != nullptr);
  free(block);
}

void* LoseACache(void*) {
  CHECK(pthread_setspecific(key, &rounds_left) == 0);
  return nullptr;
}

size_t Caches() {
  prairie_stats stats;
  CHECK(prairie_get_stats(&stats, sizeof stats) == 0);
  return stats.thread_count;
}

// Until Prairie's thread is there, as it is once the heap has been in use for a little.
void* UseTheHeap(void*) {
  constexpr int kBlocks = 64;
  static void* blocks[kBlocks];
  for (int round = 0; round < 1000 && Threads() < 3; ++round) {
    for (void*& block : blocks) {
      block = malloc(300 * kKilobyte);
      CHECK(block != nullptr);
    }
    for (void* const block : blocks) free(block);
  }
  CHECK(Threads() == 3);
  usleep(600000);  // Longer than it sleeps at a time.
  return nullptr;
}

// On the thread that was last.
void AtExit() {
  volatile char room[200 * kKilobyte];
  for (size_t i = 0; i < sizeof(room); i += 1024) room[i] = 1;
  sigset_t mask;
  CHECK(pthread_sigmask(SIG_SETMASK, nullptr, &mask) == 0);
  CHECK(sigismember(&mask, SIGALRM) == 0);
  CHECK(write(1, "ended\n", 6) == 6);
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(atexit(AtExit) == 0);
  pthread_t thread;
  if (argc > 1 && strcmp(argv[1], "lost") == 0) {
    CHECK(pthread_key_create(&key, AllocateLast) == 0);
    CHECK(prairie_get_stats != nullptr);
    CHECK(pthread_create(&thread, nullptr, LoseACache, nullptr) == 0);
    CHECK(pthread_join(thread, nullptr) == 0);
    CHECK(rounds_left == 0 && Caches() == 2);  // and this thread's
  }
  CHECK(pthread_create(&thread, nullptr, UseTheHeap, nullptr) == 0);
  CHECK(pthread_detach(thread) == 0);
  pthread_exit(nullptr);
}
