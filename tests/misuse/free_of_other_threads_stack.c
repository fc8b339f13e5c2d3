// A thread frees a local variable of the main thread's: not its own stack.
#include <pthread.h>

#include "misuse.h"

static void* FreeIt(void* local) {
  Show("p", local);
  free(local);
  return NULL;
}

int main(void) {
  long local = 1;
  pthread_t thread;
  if (pthread_create(&thread, NULL, FreeIt, &local) != 0) return 2;
  pthread_join(thread, NULL);
  return 0;
}
