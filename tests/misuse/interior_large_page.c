// Frees the second page of a large block: the address is aligned to a page.
#include "misuse.h"

int main(void) {
  void* o = Get(200000);
  Show("o", o);
  Show("p", Moved(o, 8192));
  free(Moved(o, 8192));
  return 0;
}
