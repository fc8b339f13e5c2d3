// Clears a freed block that has long left the thread cache.
#include "misuse.h"

int main(void) {
  enum { kBlocks = 100000 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) blocks[i] = Get(64);
  for (int i = 0; i < kBlocks; i += 2) free(blocks[i]);
  Show("p", blocks[2]);
  memset(Address((uintptr_t)blocks[2]), 0, 64);
  for (int i = 0; i < 2 * kBlocks; ++i) {
    void* volatile block = malloc(64);
    if (block == NULL) return 2;
  }
  return 0;
}
