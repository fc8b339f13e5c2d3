// Deletes a block twice, with its size.
#include <new>

#include "misuse.h"

int main() {
  void* p = ::operator new(80);
  Show("p", p);
  ::operator delete (p, std::size_t{80});
  ::operator delete (p, std::size_t{80});
  return 0;
}
