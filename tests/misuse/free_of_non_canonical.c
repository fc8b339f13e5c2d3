// Frees an address that no processor can have.
#include "misuse.h"

int main(void) {
  void* p = Address((uintptr_t)0xdeadbeefdeadbee0);
  Show("p", p);
  free(p);
  return 0;
}
