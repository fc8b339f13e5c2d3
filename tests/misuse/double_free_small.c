// Frees a block of 64 bytes twice in a row.
#include "misuse.h"

int main(void) {
  void* p = Get(64);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
