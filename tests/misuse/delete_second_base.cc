// Deletes an object through its second base, which has no virtual destructor.
#include "misuse.h"

int main() {
  struct First {
    long long a = 1;
  };
  struct Second {
    long long b = 2;
  };
  struct Both : First, Second {
    long long c[4] = {};
  };
  Both* o = new Both;
  Second* p = o;
  Show("o", o);
  Show("p", p);
  delete p;
  return 0;
}
