// Reallocates an address in the arena that was never allocated, 512 KiB behind a block.
#include "misuse.h"

int main(void) {
  void* block = Get(64);
  void* p = Address(((uintptr_t)block + (512 << 10)) & ~(uintptr_t)15);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
