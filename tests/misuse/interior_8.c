// Frees the second word of a block.
#include "misuse.h"

int main(void) {
  void* o = Get(64);
  Show("o", o);
  Show("p", Moved(o, 8));
  free(Moved(o, 8));
  return 0;
}
