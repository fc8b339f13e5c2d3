// Frees a static array.
#include "misuse.h"

int main(void) {
  static char data[200];
  void* p = Address((uintptr_t)data);
  Show("p", p);
  free(p);
  return 0;
}
