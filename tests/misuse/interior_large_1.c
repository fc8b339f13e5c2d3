// Frees the second byte of a large block.
#include "misuse.h"

int main(void) {
  void* o = Get(200000);
  Show("o", o);
  Show("p", Moved(o, 1));
  free(Moved(o, 1));
  return 0;
}
