// Frees the environment's array of pointers, which lies above every frame of the main stack.
#include "misuse.h"

extern char** environ;

int main(void) {
  void* p = Address((uintptr_t)environ);
  Show("p", p);
  free(p);
  return 0;
}
