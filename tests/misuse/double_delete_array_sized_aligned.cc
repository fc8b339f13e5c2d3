// Deletes an aligned array twice, with its size and alignment.
#include <new>

#include "misuse.h"

int main() {
  void* p = ::operator new[](512, std::align_val_t{64});
  Show("p", p);
  ::operator delete[](p, std::size_t{512}, std::align_val_t{64});
  ::operator delete[](p, std::size_t{512}, std::align_val_t{64});
  return 0;
}
