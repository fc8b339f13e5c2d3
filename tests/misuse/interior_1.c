// Frees the second byte of a block.
#include "misuse.h"

int main(void) {
  void* o = Get(64);
  Show("o", o);
  Show("p", Moved(o, 1));
  free(Moved(o, 1));
  return 0;
}
