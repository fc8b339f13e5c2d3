// Frees a string literal.
#include "misuse.h"

int main(void) {
  void* p = Address((uintptr_t) "literal");
  Show("p", p);
  free(p);
  return 0;
}
