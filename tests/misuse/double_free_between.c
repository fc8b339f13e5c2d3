// Frees a block, uses the heap for other sizes, and frees the block again.
#include "misuse.h"

int main(void) {
  void* p = Get(48);
  Show("p", p);
  free(p);
  for (int i = 0; i < 1000; ++i) {
    void* other = Get((size_t)(100 + i));
    free(other);
  }
  free(p);
  return 0;
}
