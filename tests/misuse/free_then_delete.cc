// Frees a block and hands it to operator delete too.
#include "misuse.h"

int main() {
  void* p = Get(64);
  Show("p", p);
  free(p);
  ::operator delete(p);
  return 0;
}
