// Frees a large block again after its neighbours were freed: its span was merged with theirs.
#include "misuse.h"

int main(void) {
  void* before = Get(200000);
  void* p = Get(200000);
  void* after = Get(200000);
  Show("p", p);
  free(before);
  free(p);
  free(after);
  free(p);
  return 0;
}
