// The same in a block of the smallest class.
#include "misuse.h"

int main(void) {
  void* volatile p = Get(16);
  void* volatile other = Get(16);
  free(p);
  Show("p", p);
  memcpy(p, (void*)&other, sizeof(other));
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = malloc(16);
    if (block == NULL || other == NULL) return 2;
  }
  return 0;
}
