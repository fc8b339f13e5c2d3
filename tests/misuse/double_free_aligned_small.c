// Frees a block twice that was aligned to 64 bytes.
#include "misuse.h"

int main(void) {
  void* p = aligned_alloc(64, 64);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
