// Reallocates the second page of a large block.
#include "misuse.h"

int main(void) {
  void* o = Get(200000);
  Show("o", o);
  Show("p", Moved(o, 8192));
  return realloc(Moved(o, 8192), 100) == NULL;
  return 0;
}
