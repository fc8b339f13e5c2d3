// Frees blocks, trims the heap, and frees one of them again: its page may be gone.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  enum { kBlocks = 20000 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(256);
  Show("p", blocks[kBlocks / 2]);
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  malloc_trim(0);
  free(blocks[kBlocks / 2]);
  return 0;
}
