// Reallocates a mapping of mmap's.
#include <sys/mman.h>

#include "misuse.h"

int main(void) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (map == MAP_FAILED) return 2;
  void* p = Address((uintptr_t)map);
  Show("p", p);
  if (realloc(p, 100) != NULL) return 2;
  return 0;
}
