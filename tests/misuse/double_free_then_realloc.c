// Reallocates a block that was freed.
#include "misuse.h"

int main(void) {
  void* p = Get(64);
  Show("p", p);
  free(p);
  return realloc(p, 128) == NULL;
  return 0;
}
