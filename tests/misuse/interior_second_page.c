// Frees an address in the second page of a small object.
#include "misuse.h"

int main(void) {
  void* o = Get(24576);
  Show("o", o);
  Show("p", Moved(o, 8192));
  free(Moved(o, 8192));
  return 0;
}
