// A program whose main thread ends first: the process ends with its last thread, although Prairie
// has one of its own (background=1), and with the status of success. Should it not, the driver's
// time is over.
#include <dirent.h>
#include <pthread.h>

#include "tests/hostile/hostile.h"

namespace {

int Threads() {
  DIR* const tasks = opendir("/proc/self/task");
  CHECK(tasks != nullptr);
  int count = 0;
  while (const dirent* const entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
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

}  // namespace

int main() {
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, UseTheHeap, nullptr) == 0);
  CHECK(pthread_detach(thread) == 0);
  pthread_exit(nullptr);
}
