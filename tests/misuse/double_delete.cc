// Deletes an object twice.
#include "misuse.h"

int main() {
  long* p = new long(1);
  Show("p", p);
  delete p;
  delete p;
  return 0;
}
