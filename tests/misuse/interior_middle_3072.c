// Frees the middle of a block of 3072 bytes, a class that divides no page.
#include "misuse.h"

int main(void) {
  void* o = Get(3072);
  Show("o", o);
  Show("p", Moved(o, 1536));
  free(Moved(o, 1536));
  return 0;
}
