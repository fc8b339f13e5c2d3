// malloc_usable_size of any bad pointer is 0, in silence.
#include <malloc.h>

#include "misuse.h"

int main(void) {
  static long variable;
  long local = 0;
  void* small = Get(64);
  void* large = Get(200000);
  void* freed_small = Get(64);
  void* freed_large = Get(300000);
  free(freed_small);
  free(freed_large);
  if (malloc_usable_size(NULL) != 0) return 10;
  if (malloc_usable_size(Address((uintptr_t)&variable)) != 0) return 11;
  if (malloc_usable_size(Address((uintptr_t)&local)) != 0) return 12;
  if (malloc_usable_size(Address((uintptr_t)&Show)) != 0) return 13;
  if (malloc_usable_size(Address(16)) != 0) return 14;
  if (malloc_usable_size(Address((uintptr_t)0xdeadbeefdeadbee0)) != 0) return 15;
  if (malloc_usable_size(Address(UINTPTR_MAX)) != 0) return 16;
  if (malloc_usable_size(Moved(small, 1)) != 0) return 17;
  if (malloc_usable_size(Moved(small, 16)) != 0) return 18;
  if (malloc_usable_size(Moved(large, 16)) != 0) return 19;
  if (malloc_usable_size(Moved(large, 8192)) != 0) return 20;
  if (malloc_usable_size(Moved(small, 64 << 20)) != 0) return 21;
  if (malloc_usable_size(freed_large) != 0) return 22;
  if (malloc_usable_size(freed_small) != 0) return 23;
  if (malloc_usable_size(small) < 64 || malloc_usable_size(large) < 200000) return 24;
  CheckHeapStillWorks();
  return 0;
}
