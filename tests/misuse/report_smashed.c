// With on_error=report: a smashed free list is reported and the heap goes on without it.
#include "misuse.h"

int main(void) {
  void* volatile p = Get(64);
  free(p);
  Show("p", p);
  memset(p, 0x41, 64);
  CheckHeapStillWorks();
  return 0;
}
