// Calls realloc(p, 0) on a block that was freed.
#include "misuse.h"

int main(void) {
  void* p = Get(64);
  Show("p", p);
  free(p);
  return realloc(p, 0) != NULL;
  return 0;
}
