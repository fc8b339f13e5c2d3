// A thread frees a local variable of its own.
#include <pthread.h>

#include "misuse.h"

static void* FreeLocal(void* unused) {
  long local = 1;
  void* p = Address((uintptr_t)&local);
  Show("p", p);
  free(p);
  return unused;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, FreeLocal, NULL) != 0) return 2;
  pthread_join(thread, NULL);
  return 0;
}
