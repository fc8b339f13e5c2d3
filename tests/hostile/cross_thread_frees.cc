// Producers allocate, consumers free, through a ring: what flows one way must flow back, or memory
// grows for ever.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/hostile/hostile.h"

namespace {

constexpr int kItems = 600000;  // For each producer.
constexpr size_t kRing = 1024;

std::mutex mutex;
std::condition_variable changed;
Block ring[kRing];
size_t head = 0;
size_t tail = 0;
int producers_left = 2;

void Produce(uint64_t seed) {
  Random random(seed);
  Block batch[64];
  for (int done = 0; done < kItems; done += 64) {
    for (Block& block : batch) {
      const size_t size = 1 + random.Below(random.Below(512) == 0 ? 90000 : 500);
      block.Allocate(size, static_cast<unsigned char>(size));
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [] { return kRing - (head - tail) >= 64; });
    for (const Block& block : batch) ring[head++ % kRing] = block;
    changed.notify_all();
  }
  const std::lock_guard lock(mutex);
  --producers_left;
  changed.notify_all();
}

void Consume() {
  Block batch[64];
  for (;;) {
    size_t count = 0;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [] { return head != tail || producers_left == 0; });
      while (count < 64 && tail != head) batch[count++] = ring[tail++ % kRing];
      if (count == 0) return;
      changed.notify_all();
    }
    for (size_t i = 0; i < count; ++i) batch[i].Free();
  }
}

}  // namespace

int main() {
  std::vector<std::thread> threads;
  threads.emplace_back(Produce, 1);
  threads.emplace_back(Produce, 2);
  threads.emplace_back(Consume);
  threads.emplace_back(Consume);
  for (std::thread& thread : threads) thread.join();
  CHECK(ProcessMemory("VmHWM") < 64 * kMegabyte);
  return 0;
}
