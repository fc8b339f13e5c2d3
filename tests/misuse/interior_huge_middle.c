// Frees the middle of a block of 64 MiB.
#include "misuse.h"

int main(void) {
  void* o = Get((size_t)64 << 20);
  Show("o", o);
  Show("p", Moved(o, 32 << 20));
  free(Moved(o, 32 << 20));
  return 0;
}
