// As fork_lock, in C: without the C++ library nobody allocates before libraries are initialized, so
// nothing but the order of initialization makes Prairie's fork handlers the first. Started with
// libatfork_lock.so behind libprairie.so.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      dprintf(2, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      _exit(1);                                                            \
    }                                                                      \
  } while (0)

static pthread_mutex_t* lock;
static atomic_int stop;

static void* AllocateUnderTheLock(void* unused) {
  enum { kBlocks = 500 };
  void* blocks[kBlocks];
  while (!stop) {
    CHECK(pthread_mutex_lock(lock) == 0);
    for (int i = 0; i < kBlocks; ++i) CHECK((blocks[i] = malloc(40000 + (size_t)i)) != NULL);
    for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
    CHECK(pthread_mutex_unlock(lock) == 0);
    usleep(50);  // A mutex is not fair: the fork would starve.
  }
  return unused;
}

int main(void) {
  CHECK(dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv") == NULL);  // It is no C++ program.
  lock = dlsym(RTLD_DEFAULT, "library_lock");
  CHECK(lock != NULL);
  pthread_t other;
  CHECK(pthread_create(&other, NULL, AllocateUnderTheLock, NULL) == 0);
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(child > 0);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = 1;
  CHECK(pthread_join(other, NULL) == 0);
  return 0;
}
