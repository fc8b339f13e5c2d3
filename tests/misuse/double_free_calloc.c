// Frees a block from calloc twice.
#include "misuse.h"

int main(void) {
  void* p = calloc(10, 24);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
