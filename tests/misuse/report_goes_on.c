// With on_error=report: one mistake of each kind, each reported, then the heap still works.
#include "misuse.h"

int main(void) {
  void* small = Get(64);
  void* large = Get(200000);
  static long variable;
  long local = 0;
  Show("small", small);
  Show("large", large);
  Show("variable", &variable);
  Show("local", &local);
  free(Moved(small, 16));
  free(Moved(large, 8192));
  free(Address((uintptr_t)&variable));
  free(Address((uintptr_t)&local));
  if (realloc(Moved(small, 8), 100) != NULL) return 5;
  if (realloc(Address((uintptr_t)&variable), 100) != NULL) return 6;
  memset(small, 1, 64);
  memset(large, 1, 200000);
  free(small);
  free(small);
  if (realloc(small, 100) != NULL) return 7;
  free(large);
  free(large);
  CheckHeapStillWorks();
  return 0;
}
