// Reallocates an address inside a small block.
#include "misuse.h"

int main(void) {
  void* o = Get(64);
  Show("o", o);
  Show("p", Moved(o, 16));
  return realloc(Moved(o, 16), 100) == NULL;
  return 0;
}
