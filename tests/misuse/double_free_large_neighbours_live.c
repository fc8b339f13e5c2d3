// Frees a large block again while live blocks stand on both sides of it.
#include "misuse.h"

int main(void) {
  void* before = Get(200000);
  void* p = Get(200000);
  void* after = Get(200000);
  Show("p", p);
  free(p);
  free(p);
  free(before);
  free(after);
  return 0;
}
