// malloc and free as programs call them: pairs, batches, mixed sizes, growth, several threads.
//
// A plain program that knows no allocator: run it under LD_PRELOAD to compare them, or let
// scripts/bench do so. The part of a name before the first slash is its family.
// One iteration is one malloc/free pair unless a benchmark says otherwise in its items.

#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#ifndef __cpp_sized_deallocation
void operator delete(void* object, std::size_t size) noexcept;  // clang hides it by default
#endif

namespace {

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;

// Allocates and writes the first byte, as the first thing that any program does with its object.
inline char* AllocateTouched(size_t size) {
  auto* const object = static_cast<char*>(std::malloc(size));
  if (object == nullptr) std::abort();
  *object = 1;
  benchmark::DoNotOptimize(object);
  return object;
}

void CountPairs(benchmark::State& state, int64_t pairs_per_iteration) {
  state.SetItemsProcessed(state.iterations() * pairs_per_iteration);
}

// Sizes as programs ask for them: log-uniform, so that small ones are by far the most frequent.
std::vector<uint32_t> MakeSizes(size_t count, double smallest, double largest, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> exponent(std::log2(smallest), std::log2(largest));
  std::vector<uint32_t> sizes(count);
  for (uint32_t& size : sizes) size = static_cast<uint32_t>(std::exp2(exponent(random)));
  return sizes;
}

void BM_Pair(benchmark::State& state) {
  const size_t size = state.range(0);
  for (auto _ : state) std::free(AllocateTouched(size));
  CountPairs(state, 1);
}
BENCHMARK(BM_Pair)->Name("pair")->RangeMultiplier(4)->Range(16, kMiB);

enum class Order { kLifo, kFifo, kShuffled };

void BM_Batch(benchmark::State& state, Order order) {
  const size_t size = state.range(0);
  const size_t count = state.range(1);
  std::vector<uint32_t> to_free(count);
  std::iota(to_free.begin(), to_free.end(), 0);
  if (order == Order::kLifo) std::reverse(to_free.begin(), to_free.end());
  if (order == Order::kShuffled) std::shuffle(to_free.begin(), to_free.end(), std::mt19937(1));
  std::vector<char*> objects(count);
  for (auto _ : state) {
    for (char*& object : objects) object = AllocateTouched(size);
    for (const uint32_t index : to_free) std::free(objects[index]);
  }
  CountPairs(state, static_cast<int64_t>(count));
}
void BatchArguments(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t size : {16, 128, 1024, 8192}) {
    for (const int64_t count : {100, 1000}) benchmark->Args({size, count});
  }
  benchmark->Args({64 * kKiB, 100})->Args({kMiB, 100});
}
BENCHMARK_CAPTURE(BM_Batch, lifo, Order::kLifo)->Name("batch_lifo")->Apply(BatchArguments);
BENCHMARK_CAPTURE(BM_Batch, fifo, Order::kFifo)->Name("batch_fifo")->Apply(BatchArguments);
BENCHMARK_CAPTURE(BM_Batch, shuffled, Order::kShuffled)
    ->Name("batch_shuffled")
    ->Apply(BatchArguments);

// A steady heap of so many objects: each iteration replaces a random one by one of a random size.
void BM_RandomSizes(benchmark::State& state) {
  constexpr size_t kPeriod = 1 << 16;
  const auto sizes = MakeSizes(kPeriod, 16, static_cast<double>(state.range(0)), 1);
  std::vector<char*> live(static_cast<size_t>(state.range(1)));
  std::vector<uint32_t> places(kPeriod);
  std::mt19937 random(2);
  for (uint32_t& place : places) place = random() % live.size();
  size_t step = 0;
  for (char*& object : live) object = AllocateTouched(sizes[step++ % kPeriod]);
  for (auto _ : state) {
    char*& object = live[places[step % kPeriod]];
    std::free(object);
    object = AllocateTouched(sizes[step % kPeriod]);
    ++step;
  }
  for (char* object : live) std::free(object);
  CountPairs(state, 1);
}
BENCHMARK(BM_RandomSizes)
    ->Name("random_sizes")
    ->Args({256, 10000})
    ->Args({4 * kKiB, 10000})
    ->Args({64 * kKiB, 10000})
    ->Args({kMiB, 1000});

// One block that grows from 16 bytes to the given size, each time by the given percentage.
// The new bytes are written, as growing strings and vectors do. Items are reallocs.
void BM_ReallocGrowth(benchmark::State& state) {
  const size_t limit = state.range(0);
  const size_t percent = state.range(1);
  int64_t calls = 0;
  for (auto _ : state) {
    size_t size = 16;
    auto* block = static_cast<char*>(std::malloc(size));
    while (size < limit) {
      const size_t grown = size + std::max<size_t>(16, size * percent / 100);
      block = static_cast<char*>(std::realloc(block, grown));
      if (block == nullptr) std::abort();
      std::fill(block + size, block + grown, 'x');
      benchmark::DoNotOptimize(block);
      size = grown;
      ++calls;
    }
    std::free(block);
  }
  state.SetItemsProcessed(calls);
}
BENCHMARK(BM_ReallocGrowth)
    ->Name("realloc_growth")
    ->Args({4 * kKiB, 12})
    ->Args({kMiB, 12})
    ->Args({kMiB, 100})
    ->Args({32 * kMiB, 50});

void BM_Calloc(benchmark::State& state) {
  const size_t size = state.range(0);
  for (auto _ : state) {
    void* const object = std::calloc(1, size);
    benchmark::DoNotOptimize(object);
    std::free(object);
  }
  CountPairs(state, 1);
}
BENCHMARK(BM_Calloc)->Name("calloc")->Arg(64)->Arg(kKiB)->Arg(32 * kKiB)->Arg(kMiB);

void BM_NewDelete(benchmark::State& state, bool sized) {
  const size_t size = state.range(0);
  for (auto _ : state) {
    void* const object = ::operator new(size);
    benchmark::DoNotOptimize(object);
    if (sized) {
      ::operator delete(object, size);
    } else {
      ::operator delete(object);
    }
  }
  CountPairs(state, 1);
}
BENCHMARK_CAPTURE(BM_NewDelete, plain, false)->Name("new_delete")->Arg(16)->Arg(256)->Arg(4 * kKiB);
BENCHMARK_CAPTURE(BM_NewDelete, sized, true)
    ->Name("new_sized_delete")
    ->Arg(16)
    ->Arg(256)
    ->Arg(4 * kKiB);

// Each thread by itself: batches of 100 objects up to the given size, freed in the order of
// allocation.
void BM_Threads(benchmark::State& state) {
  constexpr size_t kBatch = 100;
  constexpr size_t kPeriod = 1 << 12;
  const auto sizes = MakeSizes(kPeriod, 16, static_cast<double>(state.range(0)),
                               static_cast<unsigned>(state.thread_index()));
  std::vector<char*> objects(kBatch);
  size_t step = 0;
  for (auto _ : state) {
    for (char*& object : objects) object = AllocateTouched(sizes[step++ % kPeriod]);
    for (char* object : objects) std::free(object);
  }
  CountPairs(state, kBatch);
}
BENCHMARK(BM_Threads)
    ->Name("threads")
    ->Arg(256)
    ->Arg(8 * kKiB)
    ->Arg(64 * kKiB)
    ->Threads(2)
    ->Threads(4)
    ->UseRealTime();

// A bounded queue from one thread to one other.
class Channel {
 public:
  void Send(char* object) {
    const size_t at = sent_.load(std::memory_order_relaxed);
    while (at - received_.load(std::memory_order_acquire) == kCapacity) sched_yield();
    slots_[at % kCapacity] = object;
    sent_.store(at + 1, std::memory_order_release);
  }
  char* Receive() {
    const size_t at = received_.load(std::memory_order_relaxed);
    while (sent_.load(std::memory_order_acquire) == at) sched_yield();
    char* const object = slots_[at % kCapacity];
    received_.store(at + 1, std::memory_order_release);
    return object;
  }

 private:
  static constexpr size_t kCapacity = 512;
  alignas(64) std::atomic<size_t> sent_{0};
  alignas(64) std::atomic<size_t> received_{0};
  alignas(64) char* slots_[kCapacity] = {};
};

// Threads in pairs: the even one allocates, the odd one frees. Both run the same number of
// iterations, so each queue is empty at the end. Items are objects that went across.
void BM_CrossThread(benchmark::State& state) {
  constexpr int64_t kBatch = 1000;
  constexpr size_t kPeriod = 1 << 12;
  static Channel channels[8];
  Channel& channel = channels[state.thread_index() / 2];
  if (state.thread_index() % 2 == 0) {
    const auto sizes = MakeSizes(kPeriod, 16, static_cast<double>(state.range(0)), 1);
    size_t step = 0;
    for (auto _ : state) {
      for (int64_t i = 0; i < kBatch; ++i) channel.Send(AllocateTouched(sizes[step++ % kPeriod]));
    }
    CountPairs(state, kBatch);
  } else {
    for (auto _ : state) {
      for (int64_t i = 0; i < kBatch; ++i) std::free(channel.Receive());
    }
  }
}
BENCHMARK(BM_CrossThread)
    ->Name("cross_thread")
    ->Arg(256)
    ->Arg(8 * kKiB)
    ->Threads(2)
    ->Threads(4)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
