// Frees all blocks, trims the heap, and frees the lowest block of a page again: where its span
// begins, as a large object would.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  enum { kBlocks = 20000, kPage = 8192 };
  static char* blocks[kBlocks];
  char* first = NULL;
  for (int i = 0; i < kBlocks; ++i) {
    blocks[i] = Get(64);
    if ((uintptr_t)blocks[i] % kPage == 0) first = blocks[i];
  }
  if (first == NULL) return 3;
  Show("p", first);
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  malloc_trim(0);
  free(first);
  return 0;
}
