// Frees a local array.
#include "misuse.h"

int main(void) {
  char local[200];
  void* p = Address((uintptr_t)local);
  Show("p", p);
  free(p);
  return 0;
}
