// Frees 16 bytes before a block: the end of its neighbour.
#include "misuse.h"

int main(void) {
  enum { kBlocks = 64 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(1024);
  for (int i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < kBlocks; ++j) {
      if (Moved(blocks[i], 1024) != blocks[j]) continue;
      Show("o", blocks[i]);
      Show("p", Moved(blocks[j], -16));
      free(Moved(blocks[j], -16));
      return 0;
    }
  }
  return 2;  // No two of the blocks are neighbours.
  return 0;
}
