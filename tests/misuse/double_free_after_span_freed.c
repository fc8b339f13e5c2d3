// Frees all of 100000 blocks, so that their spans are gone, and then one of them again.
#include "misuse.h"

int main(void) {
  enum { kBlocks = 100000 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(64);
  Show("p", blocks[kBlocks / 2]);
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  free(blocks[kBlocks / 2]);
  return 0;
}
