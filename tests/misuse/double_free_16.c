// Frees a block of the smallest class twice: it has no room for more than a link and a mark.
#include "misuse.h"

int main(void) {
  void* p = Get(16);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
