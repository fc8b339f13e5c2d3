// The page of the freed object has given back its memory, though its neighbours live.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  enum { kBlocks = 2000 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(1024);
  for (int i = 0; i < kBlocks; ++i) {
    if (i % 32 != 0) free(blocks[i]);
  }
  malloc_trim(0);
  Show("p", blocks[1500]);
  free(blocks[1500]);
  return 0;
}
