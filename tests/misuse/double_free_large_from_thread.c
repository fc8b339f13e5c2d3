// The main thread frees a block of 200 KB, then another thread frees it again.
#include <pthread.h>

#include "misuse.h"

static void* p;
static pthread_barrier_t freed;

static void* FreeIt(void* unused) {
  pthread_barrier_wait(&freed);
  free(p);
  return unused;
}

int main(void) {
  // The thread exists before, so that starting it cannot reuse the block.
  pthread_t thread;
  pthread_barrier_init(&freed, NULL, 2);
  if (pthread_create(&thread, NULL, FreeIt, NULL) != 0) return 2;
  p = Get(200000);
  Show("p", p);
  free(p);
  pthread_barrier_wait(&freed);
  pthread_join(thread, NULL);
  return 0;
}
