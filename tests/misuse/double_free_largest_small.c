// Frees a block of the largest size class twice.
#include "misuse.h"

int main(void) {
  void* p = Get(32768);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
