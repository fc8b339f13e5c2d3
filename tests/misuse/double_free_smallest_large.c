// Frees the smallest large object twice.
#include "misuse.h"

int main(void) {
  void* p = Get(32769);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
