// A program that copies whole blocks, marks of freed ones included, is not accused.
#include "misuse.h"

int main(void) {
  enum { kBlocks = 1000 };
  static unsigned char* live[kBlocks];
  static unsigned char* dead[kBlocks];
  for (int i = 0; i < kBlocks; ++i) {
    live[i] = (unsigned char*)Get(64);
    dead[i] = (unsigned char*)Get(64);
  }
  for (int i = 0; i < kBlocks; ++i) free(dead[i]);
  for (int i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < 64; ++j) live[i][j] = ((volatile unsigned char*)dead[i])[j];
  }
  for (int i = 0; i < kBlocks; ++i) free(live[i]);
  CheckHeapStillWorks();
  return 0;
}
