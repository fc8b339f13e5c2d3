// A thread frees a block and lives on; the main thread frees it again.
#include <pthread.h>

#include "misuse.h"

static void* p;
static pthread_barrier_t freed;

static void* FreeAndStay(void* unused) {
  free(p);
  pthread_barrier_wait(&freed);
  for (;;) pause();
  return unused;
}

int main(void) {
  p = Get(64);
  Show("p", p);
  pthread_barrier_init(&freed, NULL, 2);
  pthread_t thread;
  if (pthread_create(&thread, NULL, FreeAndStay, NULL) != 0) return 2;
  pthread_barrier_wait(&freed);
  free(p);
  return 0;
}
