// Frees an address 16 bytes into a large block.
#include "misuse.h"

int main(void) {
  void* o = Get(200000);
  Show("o", o);
  Show("p", Moved(o, 16));
  free(Moved(o, 16));
  return 0;
}
