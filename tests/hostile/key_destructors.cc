// Threads that allocate and free in the destructors of their keys, in every round of destructors
// that POSIX grants: the malloc's own destructor has run before some of them. Nothing may leak:
// 3000 threads, bounded memory.
#include <pthread.h>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kKeys = 8;
pthread_key_t keys[kKeys];

struct Value {
  int index;
  int rounds_left;
  Block block;
};

void* New(int index, int rounds_left) {
  auto* value = static_cast<Value*>(malloc(sizeof(Value)));
  CHECK(value != nullptr);
  *value = {index, rounds_left, {}};
  value->block.Allocate(static_cast<size_t>(1000 * (index + 1)), static_cast<unsigned char>(index));
  return value;
}

void Destroy(void* pointer) {
  auto* value = static_cast<Value*>(pointer);
  Churn(static_cast<uint64_t>(value->index), 50);
  if (value->rounds_left > 0) {
    CHECK(pthread_setspecific(keys[value->index], New(value->index, value->rounds_left - 1)) == 0);
  }
  value->block.Free();
  free(value);
}

void* Run(void* number) {
  for (int i = 0; i < kKeys; ++i) {
    CHECK(pthread_setspecific(keys[i], New(i, 3)) ==
          0);  // 4 rounds: PTHREAD_DESTRUCTOR_ITERATIONS.
  }
  if (reinterpret_cast<uintptr_t>(number) % 2 == 0) Churn(reinterpret_cast<uintptr_t>(number), 200);
  return nullptr;
}

}  // namespace

int main() {
  for (pthread_key_t& key : keys) CHECK(pthread_key_create(&key, Destroy) == 0);
  for (uintptr_t round = 0; round < 750; ++round) {
    pthread_t threads[4];
    for (pthread_t& thread : threads) {
      CHECK(pthread_create(&thread, nullptr, Run, reinterpret_cast<void*>(round)) == 0);
    }
    for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  }
  CHECK(ProcessMemory("VmHWM") < 48 * kMegabyte);
  return 0;
}
