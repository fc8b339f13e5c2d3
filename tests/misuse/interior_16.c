// Frees an address 16 bytes into a block: aligned like a block's start.
#include "misuse.h"

int main(void) {
  void* o = Get(64);
  Show("o", o);
  Show("p", Moved(o, 16));
  free(Moved(o, 16));
  return 0;
}
