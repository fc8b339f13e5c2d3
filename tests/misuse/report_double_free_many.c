// With on_error=report: a hundred double frees do not put one block into the list twice.
#include "misuse.h"

int main(void) {
  enum { kBlocks = 100 };
  void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(64);
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  CheckHeapStillWorks();
  return 0;
}
