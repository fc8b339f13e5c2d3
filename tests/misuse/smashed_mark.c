// Writes over the second word of a freed block: its mark.
#include "misuse.h"

int main(void) {
  void* volatile p = Get(64);
  void* volatile other = Get(64);
  free(p);
  Show("p", p);
  memset(Moved(p, sizeof(void*)), 0x5a, sizeof(void*));
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = malloc(64);
    if (block == NULL || other == NULL) return 2;
  }
  return 0;
}
