// Frees the address one past a small block, while nobody has the block behind it.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  void* o = Get(1000);
  void* p = Moved(o, (intptr_t)malloc_usable_size(o));
  Show("p", p);
  free(p);
  return 0;
}
