// Reallocates a freed block of 200 KB to a few bytes less.
#include "misuse.h"

int main(void) {
  void* p = Get(200000);
  Show("p", p);
  free(p);
  return realloc(p, 199000) == NULL;
  return 0;
}
