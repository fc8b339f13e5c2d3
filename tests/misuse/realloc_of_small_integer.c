// Reallocates a number that looks like a pointer in the NULL page.
#include "misuse.h"

int main(void) {
  void* p = Address(16);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
