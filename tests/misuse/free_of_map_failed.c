// Frees MAP_FAILED, the highest address of all.
#include "misuse.h"

int main(void) {
  void* p = Address(UINTPTR_MAX);
  Show("p", p);
  free(p);
  return 0;
}
