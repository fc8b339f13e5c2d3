// Deletes an address inside an object.
#include <new>

#include "misuse.h"

int main() {
  char* o = static_cast<char*>(::operator new(256));
  Show("o", o);
  Show("p", o + 32);
  ::operator delete(Moved(o, 32));
  return 0;
}
