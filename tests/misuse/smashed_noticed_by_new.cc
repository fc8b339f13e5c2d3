// Clears a freed block; operator new must notice.
#include <new>

#include "misuse.h"

int main() {
  void* p = ::operator new(64);
  ::operator delete(p);
  Show("p", p);
  memset(Address(reinterpret_cast<uintptr_t>(p)), 0, 64);
  for (int i = 0; i < 100000; ++i) {
    void* volatile block = ::operator new(64);
    if (block == nullptr) return 2;
  }
  return 0;
}
