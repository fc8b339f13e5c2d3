// Reallocates a thread-local variable.
#include "misuse.h"

static __thread long variable;

int main(void) {
  void* p = Address((uintptr_t)&variable);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
