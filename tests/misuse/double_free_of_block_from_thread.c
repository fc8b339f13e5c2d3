// A thread that has exited allocated the block; the main thread frees it twice.
#include <pthread.h>

#include "misuse.h"

static void* p;

static void* AllocateIt(void* unused) {
  (void)unused;
  p = Get(96);
  return NULL;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, AllocateIt, NULL) != 0) return 2;
  pthread_join(thread, NULL);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
