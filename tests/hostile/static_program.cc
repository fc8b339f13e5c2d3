// Linked statically: the preload means nothing to it.
#include "tests/hostile/hostile.h"

int main() {
  Churn(1, 10000);
  void* block = malloc(100);
  CHECK(!InArena(block));
  free(block);
  Say("static");
  return 0;
}
