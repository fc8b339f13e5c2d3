// Hands an element of an array to delete[].
#include <new>

#include "misuse.h"

int main() {
  char* o = new char[4096];
  Show("o", o);
  Show("p", o + 100);
  ::operator delete[](Moved(o, 100));
  return 0;
}
