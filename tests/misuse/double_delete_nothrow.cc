// Deletes a block twice through the nothrow form.
#include <new>

#include "misuse.h"

int main() {
  void* p = ::operator new(64, std::nothrow);
  Show("p", p);
  ::operator delete(p, std::nothrow);
  ::operator delete(p, std::nothrow);
  return 0;
}
