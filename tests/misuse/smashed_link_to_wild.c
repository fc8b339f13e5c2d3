// Writes a number that is no address at all over the link of a freed block.
#include "misuse.h"

int main(void) {
  void* volatile p = Get(64);
  void* volatile other = Get(64);
  free(p);
  Show("p", p);
  uintptr_t number = 0x4141414141414141;
  memcpy(p, &number, sizeof(number));
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = malloc(64);
    if (block == NULL || other == NULL) return 2;
  }
  return 0;
}
