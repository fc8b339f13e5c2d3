// Deletes a local variable.
#include <new>

#include "misuse.h"

int main() {
  long object = 1;
  Show("p", &object);
  ::operator delete(Address(reinterpret_cast<uintptr_t>(&object)));
  return 0;
}
