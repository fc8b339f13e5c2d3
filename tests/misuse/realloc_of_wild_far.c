// Reallocates an address 16 GiB behind a block, where no heap of this size reaches.
#include "misuse.h"

int main(void) {
  void* block = Get(64);
  void* p = Address(((uintptr_t)block + ((uintptr_t)1 << (sizeof(void*) == 4 ? 30 : 34))) &
                    ~(uintptr_t)15);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
