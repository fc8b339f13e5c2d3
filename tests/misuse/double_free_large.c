// Frees a block of 200 KB twice.
#include "misuse.h"

int main(void) {
  void* p = Get(200000);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
