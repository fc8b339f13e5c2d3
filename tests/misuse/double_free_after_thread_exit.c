// A thread frees a block and exits, then the main thread frees it again.
#include <pthread.h>

#include "misuse.h"

static void* p;

static void* FreeIt(void* unused) {
  (void)unused;
  free(p);
  return NULL;
}

int main(void) {
  p = Get(64);
  Show("p", p);
  pthread_t thread;
  if (pthread_create(&thread, NULL, FreeIt, NULL) != 0) return 2;
  pthread_join(thread, NULL);
  free(p);
  return 0;
}
