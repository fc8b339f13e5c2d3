// mlockall(MCL_CURRENT | MCL_FUTURE): every page that is mapped from now on is there at once and
// stays. The heap must not ask for more than it needs, nor fail because pages cannot be given back.
#include <sys/mman.h>
#include <sys/resource.h>

#include <thread>

#include "tests/hostile/hostile.h"

int main() {
  Churn(1, 1000);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    Say("may not lock memory");
    return 77;
  }
  Block large;
  large.Allocate(30 * kMegabyte, 1);
  Churn(2, 30000, 4 * kMegabyte);
  std::thread([] { Churn(3, 10000); }).join();
  large.Free();
  Churn(4, 10000, 4 * kMegabyte);
  CHECK(ProcessMemory("VmHWM") < 500 * kMegabyte);
  return 0;
}
