// Frees a block of 64 MiB twice.
#include "misuse.h"

int main(void) {
  void* p = Get((size_t)64 << 20);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
