// Writes another block's address over the first word of a freed block: its link.
#include "misuse.h"

int main(void) {
  void* volatile p = Get(64);
  void* volatile other = Get(64);
  free(p);
  Show("p", p);
  memcpy(p, (void*)&other, sizeof(other));
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = malloc(64);
    if (block == NULL || other == NULL) return 2;
  }
  return 0;
}
