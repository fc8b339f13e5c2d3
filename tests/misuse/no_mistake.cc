// Makes no mistake at all: every way to get and give back a block, and silence.
#include <malloc.h>

#include <new>

#include "misuse.h"

int main() {
  free(nullptr);
  ::operator delete(nullptr);
  ::operator delete[](nullptr);
  void* p = Get(0);
  p = realloc(p, 1000);
  p = realloc(p, 300000);
  p = realloc(p, 10);
  free(p);
  free(calloc(3, 1000));
  free(memalign(4096, 10));
  free(aligned_alloc(64, 640));
  void* aligned = nullptr;
  if (posix_memalign(&aligned, 1 << 16, 100) != 0) return 2;
  free(aligned);
  ::operator delete (::operator new(10), std::size_t{10});
  ::operator delete[](::operator new[](100000));
  ::operator delete (::operator new (10, std::align_val_t{256}), std::align_val_t{256});
  free(strdup("text"));
  CheckHeapStillWorks();
  return 0;
}
