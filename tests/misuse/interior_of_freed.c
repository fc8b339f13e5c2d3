// Frees an address inside a block that is free already.
#include "misuse.h"

int main(void) {
  void* o = Get(64);
  Show("o", o);
  Show("p", Moved(o, 8));
  free(o);
  free(Moved(o, 8));
  return 0;
}
