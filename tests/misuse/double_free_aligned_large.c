// Frees a block of 200 KB twice that was aligned to 1 MiB.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  void* p = memalign(1 << 20, 200000);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
