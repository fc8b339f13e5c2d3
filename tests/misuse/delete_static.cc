// Deletes an object that was never allocated.
#include <new>

#include "misuse.h"

int main() {
  static long object = 1;
  Show("p", &object);
  ::operator delete(Address(reinterpret_cast<uintptr_t>(&object)));
  return 0;
}
