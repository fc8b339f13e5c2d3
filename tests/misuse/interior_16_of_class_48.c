// Frees an address 16 bytes into a block of 48: a multiple of 16, of no power of two.
#include "misuse.h"

int main(void) {
  void* o = Get(48);
  Show("o", o);
  Show("p", Moved(o, 16));
  free(Moved(o, 16));
  return 0;
}
