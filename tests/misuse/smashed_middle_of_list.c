// Clears a freed block that others were freed after: the middle of the list.
#include "misuse.h"

int main(void) {
  void* blocks[20];
  for (int i = 0; i < 20; ++i) blocks[i] = Get(128);
  for (int i = 0; i < 20; ++i) free(blocks[i]);
  Show("p", blocks[10]);
  memset(Address((uintptr_t)blocks[10]), 0, 128);
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = malloc(128);
    if (block == NULL) return 2;
  }
  return 0;
}
