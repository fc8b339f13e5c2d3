// 2000 threads, one after the other, each with 1 MB in small objects. Their caches must go home:
// memory stays bounded. Argument: who frees; "self", or "main" after the thread has exited.
#include <pthread.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kThreads = 2000;
constexpr int kBlocks = 2048;

bool main_frees = false;
Block blocks[kBlocks];

void FreeAll() {
  for (Block& block : blocks) block.Free();
}

void* Run(void* number) {
  const auto n = static_cast<int>(reinterpret_cast<uintptr_t>(number));
  for (int i = 0; i < kBlocks; ++i) {
    blocks[i].Allocate(static_cast<size_t>(16 + (i * 37 + n) % 1000),
                       static_cast<unsigned char>(i + n));
  }
  if (!main_frees) FreeAll();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2);
  main_frees = strcmp(argv[1], "main") == 0;
  for (uintptr_t i = 0; i < kThreads; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, nullptr, Run, reinterpret_cast<void*>(i)) == 0);
    CHECK(pthread_join(thread, nullptr) == 0);
    if (main_frees) FreeAll();
  }
  CHECK(ProcessMemory("VmHWM") < 24 * kMegabyte);
  return 0;
}
