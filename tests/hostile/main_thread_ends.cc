// A program whose main thread ends first: the process ends with its last thread, although Prairie
// has one of its own (background=1), and with the status of success. Its exit handlers have room on
// the stack and can be interrupted. Should it not end, the driver's time is over.
#include <pthread.h>
#include <signal.h>

#include "tests/hostile/hostile.h"

namespace {

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

int main() {
  CHECK(atexit(AtExit) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, UseTheHeap, nullptr) == 0);
  CHECK(pthread_detach(thread) == 0);
  pthread_exit(nullptr);
}
