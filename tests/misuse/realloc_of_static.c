// Reallocates a static array.
#include "misuse.h"

int main(void) {
  static char data[200];
  void* p = Address((uintptr_t)data);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
