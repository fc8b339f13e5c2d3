// Uses the heap a little and prints malloc_info on stdout, for a reader of XML to judge.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>

int main() {
  static void* blocks[3000];
  for (int i = 0; i < 3000; ++i) blocks[i] = malloc(static_cast<size_t>(i) * 37);
  for (int i = 0; i < 3000; i += 2) free(blocks[i]);
  return malloc_info(0, stdout);
}
