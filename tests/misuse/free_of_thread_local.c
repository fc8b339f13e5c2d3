// Frees a thread-local variable.
#include "misuse.h"

static __thread long variable;

int main(void) {
  void* p = Address((uintptr_t)&variable);
  Show("p", p);
  free(p);
  return 0;
}
