// Reallocates a local array.
#include "misuse.h"

int main(void) {
  char local[200];
  void* p = Address((uintptr_t)local);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
