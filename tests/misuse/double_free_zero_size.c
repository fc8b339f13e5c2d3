// Frees the result of malloc(0) twice.
#include "misuse.h"

int main(void) {
  void* p = Get(0);
  Show("p", p);
  free(p);
  free(p);
  return 0;
}
