// Frees a block that realloc(p, 0) had freed.
#include "misuse.h"

int main(void) {
  void* p = Get(64);
  Show("p", p);
  if (realloc(p, 0) != NULL) return 2;
  free(p);
  return 0;
}
