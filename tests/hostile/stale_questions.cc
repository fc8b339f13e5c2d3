// Asks what addresses are, whose objects another thread frees at that moment, with their pages:
// "any address, valid or not".
#include <dlfcn.h>

#include <atomic>
#include <thread>

#include "tests/hostile/hostile.h"

namespace {

template <typename Function>
Function* Find(const char* name) {
  auto* const function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  CHECK(function != nullptr);
  return function;
}

}  // namespace

int main() {
  auto* const owns = Find<int(const void*)>("prairie_owns");
  auto* const name_of = Find<const char*(const void*)>("prairie_name_of");
  auto* const base_of = Find<void*(const void*)>("prairie_base_of");
  auto* const is_live = Find<int(const void*)>("prairie_is_live");
  constexpr size_t kObjects = 60000;
  constexpr int kQuestions = 8000000;
  static std::atomic<char*> objects[kObjects];
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      for (auto& object : objects) object = static_cast<char*>(malloc(1024));
      for (const auto& object : objects) free(object);
    }
  });
  while (objects[kObjects - 1] == nullptr) usleep(1000);
  Random random(1);
  for (int i = 0; i < kQuestions; ++i) {
    const char* const address = objects[random.Below(kObjects)];
    owns(address);
    CHECK(name_of(address) == nullptr);
    if (i % 8 != 0) continue;  // These take a lock, and slow the other one down.
    const auto* const base = static_cast<const char*>(base_of(address + 100));
    CHECK(base == nullptr || base == address);
    is_live(address);
  }
  stop = true;
  other.join();
  return 0;
}
