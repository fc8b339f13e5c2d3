// Deletes a block and frees it too.
#include <new>

#include "misuse.h"

int main() {
  void* p = ::operator new(64);
  Show("p", p);
  ::operator delete(p);
  free(p);
  return 0;
}
