// Calls malloc before any constructor, from the first constructor, from atexit handlers and from
// the last destructor, and frees at each of these moments what an earlier one allocated.
// liblate.so, preloaded too, comes earlier and later.
#include "tests/hostile/hostile.h"

namespace {

Block from_preinit;
Block from_constructor;
Block from_main;
Block from_atexit;

void Preinit(int, char**, char**) {
  from_preinit.Allocate(100, 1);
  Churn(1, 2000);
}

__attribute__((section(".preinit_array"), used)) void (*const preinit_entry)(int, char**,
                                                                             char**) = Preinit;

__attribute__((constructor(101))) void FirstConstructor() {
  from_preinit.Verify();
  from_constructor.Allocate(200000, 2);
  Churn(2, 2000);
}

struct Global {
  Block block;
  Global() { block.Allocate(3000, 3); }
  ~Global() {
    block.Free();
    Churn(3, 2000);
  }
} global;

void AtExit() {
  from_main.Free();
  from_atexit.Allocate(70000, 4);
  Churn(4, 2000);
  Say("atexit");
}

__attribute__((destructor(101))) void LastDestructor() {
  from_atexit.Free();
  from_constructor.Free();
  Churn(5, 2000);
  Say("last destructor");
}

}  // namespace

int main() {
  from_preinit.Free();
  from_main.Allocate(40, 5);
  CHECK(atexit(AtExit) == 0);
  Churn(6, 2000);
  return 0;
}
