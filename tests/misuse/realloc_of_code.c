// Reallocates the address of a function.
#include "misuse.h"

int main(void) {
  void* p = Address((uintptr_t)&Show);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
