// Clears a freed block; calloc must notice.
#include "misuse.h"

int main(void) {
  void* volatile p = Get(64);
  void* volatile other = Get(64);
  free(p);
  Show("p", p);
  memset(p, 0, 64);
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = calloc(1, 64);
    if (block == NULL || other == NULL) return 2;
  }
  return 0;
}
