// The claim that the design rests on: with one contiguous arena, a flat array finds the span of any
// pointer, and is cheaper than the trees that allocators with scattered heaps need.
//
// Only the index is real memory: the heap itself is a range of addresses that is never touched.
// Each structure maps the address of an object to a span (8 bytes a page) or, for ClassBytes, to
// its size class (1 byte a page).
//
//   pattern   random: any page of the heap.  local: 64 lookups within 256 KiB, then a new place.
//   chain     dependent: the next address waits for the last answer (as free() waits for its size
//   class):
//             the latency. independent: the processor overlaps the lookups: the throughput.

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

constexpr int kPageShift = 13;    // allocator pages of 8 KiB
constexpr int kAddressBits = 48;  // what a tree must be able to index
constexpr uint64_t kHeapStart = 0xf800000000;

// Zeroed memory on ordinary 4 KiB pages, as the kernel gives it to an index that grows step by
// step.
template <class T>
class ZeroedArray {
 public:
  explicit ZeroedArray(size_t count) : bytes_(count * sizeof(T)) {
    void* const memory =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    data_ = static_cast<T*>(memory);
  }
  ~ZeroedArray() { munmap(data_, bytes_); }
  ZeroedArray(const ZeroedArray&) = delete;
  ZeroedArray& operator=(const ZeroedArray&) = delete;

  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }

 private:
  size_t bytes_;
  T* data_;
};

// No lookup at all: what the loop and the making of addresses cost by themselves.
class NoLookup {
 public:
  explicit NoLookup(uint64_t) {}
  void Set(uint64_t, uint64_t) {}
  uint64_t Get(uint64_t address) const {
    benchmark::DoNotOptimize(address);
    return 0;
  }
};

// One 8-byte entry per page of the arena.
class FlatSpans {
 public:
  explicit FlatSpans(uint64_t heap_size) : spans_(heap_size >> kPageShift) {}
  void Set(uint64_t address, uint64_t span) { spans_[Page(address)] = span; }
  uint64_t Get(uint64_t address) const { return spans_[Page(address)]; }

 private:
  static uint64_t Page(uint64_t address) { return (address - kHeapStart) >> kPageShift; }
  ZeroedArray<uint64_t> spans_;
};

// One byte per page of the arena: all that the common path of free() needs.
class ClassBytes {
 public:
  explicit ClassBytes(uint64_t heap_size) : classes_(heap_size >> kPageShift) {}
  void Set(uint64_t address, uint64_t span) {
    classes_[Page(address)] = static_cast<uint8_t>(span);
  }
  uint64_t Get(uint64_t address) const { return classes_[Page(address)]; }

 private:
  static uint64_t Page(uint64_t address) { return (address - kHeapStart) >> kPageShift; }
  ZeroedArray<uint8_t> classes_;
};

// A radix tree over the 35 bits of a page number: 17 bits choose a leaf, 18 the entry in it.
class TwoLevelTree {
 public:
  explicit TwoLevelTree(uint64_t) : root_(size_t{1} << kRootBits), leaves_() {}
  void Set(uint64_t address, uint64_t span) {
    const uint64_t page = address >> kPageShift;
    Leaf*& leaf = root_[page >> kLeafBits];
    if (leaf == nullptr) leaf = leaves_.emplace_back(std::make_unique<Leaf>(kLeafSize)).get();
    (*leaf)[page & (kLeafSize - 1)] = span;
  }
  // As a real allocator must, it asks whether there is a leaf at all.
  uint64_t Get(uint64_t address) const {
    const uint64_t page = address >> kPageShift;
    const Leaf* const leaf = root_[page >> kLeafBits];
    return leaf == nullptr ? 0 : (*leaf)[page & (kLeafSize - 1)];
  }

 private:
  using Leaf = ZeroedArray<uint64_t>;
  static constexpr int kLeafBits = 18;
  static constexpr int kRootBits = kAddressBits - kPageShift - kLeafBits;
  static constexpr uint64_t kLeafSize = uint64_t{1} << kLeafBits;
  ZeroedArray<Leaf*> root_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
};

// The same with three levels, of 12, 12 and 11 bits: far less memory for a heap that is scattered.
class ThreeLevelTree {
 public:
  explicit ThreeLevelTree(uint64_t) : root_(size_t{1} << kUpperBits), nodes_(), leaves_() {}
  void Set(uint64_t address, uint64_t span) {
    const uint64_t page = address >> kPageShift;
    Node*& node = root_[page >> (kUpperBits + kLeafBits)];
    if (node == nullptr) {
      node = nodes_.emplace_back(std::make_unique<Node>(size_t{1} << kUpperBits)).get();
    }
    Leaf*& leaf = (*node)[(page >> kLeafBits) & ((1 << kUpperBits) - 1)];
    if (leaf == nullptr) leaf = leaves_.emplace_back(std::make_unique<Leaf>(1 << kLeafBits)).get();
    (*leaf)[page & ((1 << kLeafBits) - 1)] = span;
  }
  uint64_t Get(uint64_t address) const {
    const uint64_t page = address >> kPageShift;
    const Node* const node = root_[page >> (kUpperBits + kLeafBits)];
    if (node == nullptr) return 0;
    const Leaf* const leaf = (*node)[(page >> kLeafBits) & ((1 << kUpperBits) - 1)];
    return leaf == nullptr ? 0 : (*leaf)[page & ((1 << kLeafBits) - 1)];
  }

 private:
  using Leaf = ZeroedArray<uint64_t>;
  using Node = ZeroedArray<Leaf*>;
  static constexpr int kLeafBits = 11;
  static constexpr int kUpperBits = 12;
  static_assert(2 * kUpperBits + kLeafBits == kAddressBits - kPageShift);
  ZeroedArray<Node*> root_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
};

enum class Pattern { kRandom, kLocal };
enum class Chain { kIndependent, kDependent };

// A fast generator with state in one register, so that producing addresses costs no memory traffic.
inline uint64_t NextRandom(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

template <class Index, Pattern pattern, Chain chain>
void BM_SpanLookup(benchmark::State& state) {
  constexpr uint64_t kNeighbourhood = 256 << 10;
  constexpr int kLookups = 64;
  const uint64_t heap_size = static_cast<uint64_t>(state.range(0)) << 20;  // a power of two

  Index index(heap_size);
  uint64_t random = 88172645463325252;
  for (uint64_t offset = 0; offset < heap_size; offset += 1 << kPageShift) {
    // Even, and never 0: the low bit is free for the dependent chain below.
    index.Set(kHeapStart + offset, 2 + (NextRandom(random) & 0x7c));
  }

  uint64_t sum = 0;
  for (auto _ : state) {
    uint64_t place = 0;
    uint64_t mask = heap_size - 1;
    if constexpr (pattern == Pattern::kLocal) {
      place = NextRandom(random) & (heap_size - 1) & ~(kNeighbourhood - 1);
      mask = kNeighbourhood - 1;
    }
    for (int i = 0; i < kLookups; ++i) {
      const uint64_t address = kHeapStart + place + (NextRandom(random) & mask);
      const uint64_t answer = index.Get(address);
      sum += answer;
      // Always 0, which the processor finds out only when the answer has come.
      if constexpr (chain == Chain::kDependent) random += answer & 1;
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * kLookups);
  state.counters["time_per_lookup"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kLookups,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Names are Structure/pattern/chain/MiB: scripts/bench takes them apart again.
template <class Index, Pattern pattern, Chain chain>
void RegisterOne(const std::string& name) {
  auto* const one =
      benchmark::RegisterBenchmark(name.c_str(), BM_SpanLookup<Index, pattern, chain>);
  for (int64_t mib : {64, 256, 1024, 4096, 16384}) one->Arg(mib);
}

template <class Index>
void RegisterAll(const std::string& name) {
  RegisterOne<Index, Pattern::kRandom, Chain::kDependent>(name + "/random/dependent");
  RegisterOne<Index, Pattern::kRandom, Chain::kIndependent>(name + "/random/independent");
  RegisterOne<Index, Pattern::kLocal, Chain::kDependent>(name + "/local/dependent");
  RegisterOne<Index, Pattern::kLocal, Chain::kIndependent>(name + "/local/independent");
}

}  // namespace

int main(int argc, char** argv) {
  RegisterAll<NoLookup>("NoLookup");
  RegisterAll<ClassBytes>("ClassBytes");
  RegisterAll<FlatSpans>("FlatSpans");
  RegisterAll<TwoLevelTree>("TwoLevelTree");
  RegisterAll<ThreeLevelTree>("ThreeLevelTree");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
