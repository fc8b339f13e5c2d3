// Reallocates memory that sbrk returned.
#include "misuse.h"

int main(void) {
  void* old = sbrk(8192);
  if (old == (void*)-1) return 2;
  void* p = Address((uintptr_t)old + 16);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
