// Linked statically: the preload means nothing to it.
#include "tests/hostile/hostile.h"

int main() {
  Churn(1, 10000);
  void* block = malloc(100);
  CHECK((reinterpret_cast<uintptr_t>(block) - kArenaHint) >> 36 != 0);
  free(block);
  Say("static");
  return 0;
}
