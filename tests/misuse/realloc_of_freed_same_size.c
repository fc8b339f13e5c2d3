// Reallocates a freed block to the size that it had: nothing would have to move.
#include "misuse.h"

int main(void) {
  void* p = Get(64);
  Show("p", p);
  free(p);
  return realloc(p, 64) == NULL;
  return 0;
}
