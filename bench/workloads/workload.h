// What the workloads share: arguments, random numbers, threads, the clock, memory, the last line.
//
// A workload does a fixed number of rounds, `--work`, shared among its threads, so that its wall
// time can be compared; `--seconds` does rounds until the time is over instead. Round k is drawn
// from the seed and k alone, and checksums are sums: with `--work` the checksum depends on seed and
// work only, whichever thread did what. Nothing in here calls malloc.
//
// The last line of the output is
//   ops/s FLOAT peak_rss_mib FLOAT checksum HEX
// and before it there may be lines `figure NAME VALUE UNIT`. The exit status is 0; 2 after one line
// on stderr for a wrong argument; 1 after one line when memory ran out or a check failed.

#ifndef BENCH_WORKLOADS_WORKLOAD_H_
#define BENCH_WORKLOADS_WORKLOAD_H_

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace workload {

inline constexpr unsigned kMostThreads = 256;

// One option of a workload's own, a number of seconds, besides those that all have.
struct ExtraOption {
  const char* name;   // with the dashes; nullptr: there is none
  const char* about;  // for --help
  double value;
};

// The command line. A workload gives its defaults in the same form.
struct Arguments {
  const char* about;  // one line for --help
  unsigned threads;
  uint64_t work;       // rounds; what one is, each workload says
  double seconds = 0;  // 0: do `work` rounds
  uint64_t seed = 1;
  ExtraOption extra = {nullptr, nullptr, 0};
};

// What a thread, or all of them, did.
struct Totals {
  uint64_t operations = 0;  // calls of malloc and realloc, unless the workload says otherwise
  uint64_t checksum = 0;
  double busy_seconds = 0;  // what operations per second are counted by; 0: the whole run

  void Add(const Totals& other) {
    operations += other.operations;
    checksum += other.checksum;
  }
};

// The main function of a workload: reads the command line, times `run`, prints the last line.
int Main(int argc, char** argv, const Arguments& defaults, Totals (*run)(const Arguments&));

// Ends the program with status 1 and one line on stderr.
[[noreturn]] void Fail(const char* what);

// Prints `figure NAME VALUE UNIT`.
void PrintFigure(const char* name, double value, const char* unit);

uint64_t NowNanoseconds();
void SleepNanoseconds(uint64_t nanoseconds);

// Resident memory of the process now, and the most that it ever was, from /proc.
double ResidentMib();
double PeakResidentMib();

// SplitMix64: small, fast, and good enough that no size or order repeats.
class Random {
 public:
  explicit Random(uint64_t seed = 0) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  // From 0 to bound - 1; bound is at least 1.
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>((Next() >> 32) * bound >> 32); }

  // From `low` to `high`, both included.
  uint32_t Between(uint32_t low, uint32_t high) { return low + Below(high - low + 1); }

  // From `low` to `high`: an octave is as likely as any other, so small sizes are the most
  // frequent.
  uint32_t LogBetween(uint32_t low, uint32_t high) {
    uint32_t octaves = 0;
    while (octaves < 31 && (low << octaves << 1) < high) octaves++;
    const uint32_t base = low << Below(octaves + 1);
    return Between(base, base + base - 1 < high ? base + base - 1 : high);
  }

  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

// The rounds that thread `index` of `threads` does: each threads-th one.
class Rounds {
 public:
  Rounds(const Arguments& arguments, unsigned index, unsigned threads)
      : arguments_(arguments), next_(index), step_(threads), started_(NowNanoseconds()) {}

  // Goes on to the thread's next round; false when there is none.
  bool Next() {
    if (arguments_.seconds > 0) {
      if (static_cast<double>(NowNanoseconds() - started_) >= arguments_.seconds * 1e9)
        return false;
    } else if (next_ >= arguments_.work) {
      return false;
    }
    number_ = next_;
    next_ += step_;
    return true;
  }

  uint64_t number() const { return number_; }

  // The random numbers of this round.
  Random MakeRandom() const {
    return Random(Random(arguments_.seed).Next() + number_ * 0x632be59bd9b4e019u);
  }

 private:
  const Arguments& arguments_;
  uint64_t number_ = 0;
  uint64_t next_;
  uint64_t step_;
  uint64_t started_;
};

inline void* Allocate(size_t size) {
  void* const block = std::malloc(size);
  if (block == nullptr) Fail("malloc returned NULL");
  return block;
}

inline void* Reallocate(void* block, size_t size) {
  void* const moved = std::realloc(block, size);
  if (moved == nullptr) Fail("realloc returned NULL");
  return moved;
}

// A block of at least 8 bytes whose first word was drawn by whoever allocated it, and is added to
// the checksum by whoever frees it: what was overwritten, lost or freed twice shows there.
struct Tagged {
  uint64_t tag;
};

inline Tagged* AllocateTagged(size_t size, uint64_t tag) {
  auto* const block = static_cast<Tagged*>(Allocate(size < sizeof(Tagged) ? sizeof(Tagged) : size));
  block->tag = tag;
  return block;
}

inline void FreeTagged(Tagged* block, Totals* totals) {
  if (block == nullptr) return;
  totals->checksum += block->tag;
  std::free(block);
}

// Writes `count` times to the first 8 bytes at `object`, a half at a time, and reads the other
// half; returns the sum of what it read. No write needs what was read before: what a store passes
// on to the load of the same address takes some processors five cycles, or none, as luck has it.
inline uint64_t WriteHalves(void* object, uint64_t tag, unsigned count) {
  auto* const halves = static_cast<volatile uint32_t*>(object);
  halves[0] = static_cast<uint32_t>(tag);
  halves[1] = static_cast<uint32_t>(tag >> 32);
  uint64_t sum = 0;
  for (unsigned i = 0; i < count; i++) {
    halves[i % 2] = static_cast<uint32_t>(tag) + i;
    sum += halves[(i + 1) % 2];
  }
  return sum;
}

// A thread that runs `body`, an object that outlives it.
template <typename Body>
void StartThread(pthread_t* thread, Body* body) {
  const auto run = [](void* argument) -> void* {
    (*static_cast<Body*>(argument))();
    return nullptr;
  };
  if (pthread_create(thread, nullptr, run, body) != 0) Fail("cannot start a thread");
}

// Calls body(0) to body(threads - 1), which return Totals, each in a thread of its own, and adds
// up. A single one is called right here: a program without threads stays one.
template <typename Body>
Totals OnThreads(unsigned threads, const Body& body) {
  if (threads == 1) return body(0u);
  struct alignas(128) Task {
    const Body* body;
    unsigned index;
    Totals totals;
    void operator()() { totals = (*body)(index); }
  };
  Task tasks[kMostThreads];
  pthread_t handles[kMostThreads];
  for (unsigned i = 0; i < threads; i++) {
    tasks[i].body = &body;
    tasks[i].index = i;
    StartThread(&handles[i], &tasks[i]);
  }
  Totals totals;
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(handles[i], nullptr);
    totals.Add(tasks[i].totals);
  }
  return totals;
}

}  // namespace workload

#endif  // BENCH_WORKLOADS_WORKLOAD_H_
