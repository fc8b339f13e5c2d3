// Frees the last page of a large block.
#include "misuse.h"

int main(void) {
  void* o = Get(200000);
  Show("o", o);
  Show("p", Moved(o, 196608));
  free(Moved(o, 196608));
  return 0;
}
