// Frees an address in the arena that was never allocated, 512 KiB behind a block.
#include "misuse.h"

int main(void) {
  void* block = Get(64);
  void* p = Address(((uintptr_t)block + (512 << 10)) & ~(uintptr_t)15);
  Show("p", p);
  free(p);
  return 0;
}
