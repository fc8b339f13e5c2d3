// Frees half of 100000 blocks, so that the first has long left the thread cache, and frees it
// again.
#include "misuse.h"

int main(void) {
  enum { kBlocks = 100000 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(64);
  Show("p", blocks[2]);
  for (int i = 2; i < kBlocks; i += 2) free(blocks[i]);
  free(blocks[2]);
  return 0;
}
