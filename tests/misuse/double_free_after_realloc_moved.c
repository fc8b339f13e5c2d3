// Frees the old address of a block that realloc moved.
#include "misuse.h"

int main(void) {
  void* p = Get(64);
  void* neighbour = Get(64);
  void* moved = realloc(p, 5000);
  if (moved == NULL || moved == p) return 2;
  Show("p", p);
  free(p);
  free(moved);
  free(neighbour);
  return 0;
}
