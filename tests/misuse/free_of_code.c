// Frees the address of a function.
#include "misuse.h"

int main(void) {
  void* p = Address((uintptr_t)&Show);
  Show("p", p);
  free(p);
  return 0;
}
