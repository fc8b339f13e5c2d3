// Deletes an aligned block twice.
#include <new>

#include "misuse.h"

int main() {
  void* p = ::operator new (128, std::align_val_t{128});
  Show("p", p);
  ::operator delete (p, std::align_val_t{128});
  ::operator delete (p, std::align_val_t{128});
  return 0;
}
