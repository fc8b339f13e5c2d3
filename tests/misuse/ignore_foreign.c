// With foreign=ignore: pointers of others are passed over in silence.
#include "misuse.h"

int main(void) {
  static long variable;
  free(Address((uintptr_t)&variable));
  free(Address(16));
  free(Address((uintptr_t)0xdeadbeefdeadbee0));
  if (realloc(Address((uintptr_t)&variable), 100) != NULL) return 5;
  CheckHeapStillWorks();
  return 0;
}
