// Reallocates MAP_FAILED, the highest address of all.
#include "misuse.h"

int main(void) {
  void* p = Address(UINTPTR_MAX);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
