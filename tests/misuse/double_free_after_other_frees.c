// Frees a block again after others of its size were freed.
#include "misuse.h"

int main(void) {
  void* others[10];
  for (int i = 0; i < 10; ++i) others[i] = Get(64);
  void* p = Get(64);
  Show("p", p);
  free(p);
  for (int i = 0; i < 10; ++i) free(others[i]);
  free(p);
  return 0;
}
