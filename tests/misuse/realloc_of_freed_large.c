// Reallocates a block of 200 KB that was freed.
#include "misuse.h"

int main(void) {
  void* p = Get(200000);
  Show("p", p);
  free(p);
  return realloc(p, 400000) == NULL;
  return 0;
}
