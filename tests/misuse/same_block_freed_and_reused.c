// Frees a block and gets it again a million times: never a false alarm.
#include "misuse.h"

int main(void) {
  void* blocks[64] = {0};
  unsigned seed = 1;
  for (int i = 0; i < 1000000; ++i) {
    seed = seed * 1664525u + 1013904223u;
    unsigned slot = seed >> 26;
    free(blocks[slot]);
    size_t size = 16 + (seed >> 8) % 300;
    blocks[slot] = Get(size);
    memset(blocks[slot], (int)(seed >> 16), size);
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  CheckHeapStillWorks();
  return 0;
}
