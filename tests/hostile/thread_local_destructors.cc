// Threads whose thread_local objects own memory, allocate more while they are destroyed, and use
// one another.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

namespace {

struct Owner {
  std::vector<std::string> texts;
  std::unique_ptr<int[]> numbers = std::make_unique<int[]>(10000);
  ~Owner() {
    std::vector<std::string> copies = texts;
    copies.insert(copies.end(), texts.begin(), texts.end());
    for (const std::string& text : copies) CHECK(text == std::string(text.size(), 'x'));
    numbers = std::make_unique<int[]>(20000);
    Churn(texts.size(), 100);
  }
};

thread_local Owner first;
thread_local Owner second;

void Run(size_t count) {
  for (size_t i = 0; i < count; ++i) first.texts.emplace_back(i * 3, 'x');
  second.texts = first.texts;
}

}  // namespace

int main() {
  for (int round = 0; round < 250; ++round) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; ++i) threads.emplace_back(Run, 20 + i * 30);
    for (std::thread& thread : threads) thread.join();
  }
  Run(100);  // The main thread has such objects too.
  CHECK(ProcessMemory("VmHWM") < 64 * kMegabyte);
  return 0;
}
