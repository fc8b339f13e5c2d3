// Frees a block in main and again in an atexit handler.
#include "misuse.h"

static void* p;

static void FreeAgain(void) { free(p); }

int main(void) {
  p = Get(64);
  Show("p", p);
  free(p);
  atexit(FreeAgain);
  return 0;
}
