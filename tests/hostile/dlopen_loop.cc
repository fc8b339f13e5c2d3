// Loads and unloads a library with thread-local objects, over and over, with threads that use it.
// Argument: it.
#include <dlfcn.h>

#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

int main(int argc, char** argv) {
  CHECK(argc == 2);
  for (size_t round = 0; round < 150; ++round) {
    void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      dprintf(2, "%s\n", dlerror());
      return 1;
    }
    auto* use = reinterpret_cast<size_t (*)(size_t)>(dlsym(library, "UseThreadLocals"));
    CHECK(use != nullptr);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; ++i) {
      threads.emplace_back([use, i] {
        for (size_t n = 0; n < 100; ++n) CHECK(use(i + n) == i + n);
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(dlclose(library) == 0);
    Churn(round, 200);
  }
  CHECK(ProcessMemory("VmHWM") < 64 * kMegabyte);
  return 0;
}
