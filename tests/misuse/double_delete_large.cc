// Deletes an array of 200 KB twice.
#include "misuse.h"

int main() {
  char* p = new char[200000];
  Show("p", p);
  delete[] p;
  delete[] p;
  return 0;
}
