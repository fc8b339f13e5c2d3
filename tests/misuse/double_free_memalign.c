// Frees a block twice that was aligned to 4096 bytes.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  void* p = memalign(4096, 100);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
