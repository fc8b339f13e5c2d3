// Hands an array with a length cookie to delete instead of delete[]: 8 bytes into the block.
#include "misuse.h"

int main() {
  struct Thing {
    ~Thing() { value = 0; }
    alignas(8) long long value = 1;
  };
  Thing* p = new Thing[12];
  Show("o", reinterpret_cast<char*>(p) - 8);
  Show("p", p);
  delete p;
  return 0;
}
