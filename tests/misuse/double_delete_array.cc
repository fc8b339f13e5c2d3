// Deletes an array twice.
#include "misuse.h"

int main() {
  char* p = new char[500];
  Show("p", p);
  delete[] p;
  delete[] p;
  return 0;
}
