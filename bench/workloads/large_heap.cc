// large_heap: what malloc and free cost when much is live.
//
// Stands for databases and caches. It fills the heap with objects of 16 to 575 bytes, in steps to
// 100 MB, 1 GB, 10 GB, as far as --work MB (default 1000) reach, and measures at each step, as
// figures in nanoseconds: `pair` a small block allocated and freed at once, `replace` a random live
// object freed and another allocated (mostly the cache misses on the object), `large` a block of 1
// to 4 MiB in place of a random one of 32 such, of which nothing is touched. The cost must not grow
// with the heap. The threads fill their shares at the same time and end; the main thread measures.
// The checksum depends on --threads too.

#include <cstdio>

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Tagged;
using workload::Totals;

constexpr uint64_t kMegabyte = 1000000;
constexpr uint64_t kFirstStep = 100;
constexpr unsigned kPairs = 200000;
constexpr unsigned kReplacements = 100000;
constexpr unsigned kLargeBlocks = 32;
constexpr unsigned kLargeSteps = 2000;

// The live objects of one thread.
struct Share {
  Tagged** objects = nullptr;
  size_t count = 0;
  size_t room = 0;
  uint64_t bytes = 0;
};

Tagged* Make(Random* random, uint64_t* bytes) {
  const uint32_t size = random->LogBetween(16, 512) + random->Below(64);
  *bytes += size;
  return workload::AllocateTagged(size, random->Next());
}

void Fill(Share* share, uint64_t bytes, Random* random, Totals* totals) {
  while (share->bytes < bytes) {
    if (share->count == share->room) {
      share->room = share->room == 0 ? 1024 : share->room * 2;
      share->objects = static_cast<Tagged**>(
          workload::Reallocate(share->objects, share->room * sizeof(Tagged*)));
    }
    share->objects[share->count++] = Make(random, &share->bytes);
    totals->operations++;
  }
}

// Times `count` calls of `step`, and prints the nanoseconds of one under the name of the size.
template <typename Step>
void Time(const char* what, uint64_t megabytes, unsigned count, Totals* totals, const Step& step) {
  const uint64_t start = workload::NowNanoseconds();
  for (unsigned i = 0; i < count; i++) step();
  const auto taken = static_cast<double>(workload::NowNanoseconds() - start);
  char name[64];
  std::snprintf(name, sizeof name, "%s_at_%llu_mb", what,
                static_cast<unsigned long long>(megabytes));
  workload::PrintFigure(name, taken / count, "ns");
  totals->operations += count;
}

void Measure(Share* share, uint64_t megabytes, Random* random, Totals* totals) {
  Time("pair", megabytes, kPairs, totals, [&] {
    const uint64_t draw = random->Next();
    workload::FreeTagged(workload::AllocateTagged(16 + draw % 512, draw), totals);
  });
  Time("replace", megabytes, kReplacements, totals, [&] {
    Tagged*& object = share->objects[random->Below(static_cast<uint32_t>(share->count))];
    workload::FreeTagged(object, totals);
    uint64_t bytes = 0;
    object = Make(random, &bytes);
  });
  Tagged* blocks[kLargeBlocks] = {};
  Time("large", megabytes, kLargeSteps, totals, [&] {
    Tagged*& block = blocks[random->Below(kLargeBlocks)];
    workload::FreeTagged(block, totals);
    block = workload::AllocateTagged(random->Between(1 << 20, 4 << 20), random->Next());
  });
  for (Tagged* const block : blocks) workload::FreeTagged(block, totals);
}

Totals Run(const workload::Arguments& arguments) {
  const uint64_t start = workload::NowNanoseconds();
  Totals totals;
  Share shares[workload::kMostThreads];
  Random randoms[workload::kMostThreads];
  for (unsigned i = 0; i < arguments.threads; i++) randoms[i] = Random(arguments.seed * 1000 + i);
  for (uint64_t step = kFirstStep;; step *= 10) {
    const uint64_t megabytes = step < arguments.work ? step : arguments.work;
    totals.Add(workload::OnThreads(arguments.threads, [&](unsigned index) {
      Totals filled;
      Fill(&shares[index], megabytes * kMegabyte / arguments.threads, &randoms[index], &filled);
      return filled;
    }));
    Measure(&shares[0], megabytes, &randoms[0], &totals);
    if (megabytes == arguments.work) break;
  }
  const auto limit = static_cast<uint64_t>(arguments.seconds * 1e9);
  while (workload::NowNanoseconds() - start < limit) {
    Measure(&shares[0], arguments.work, &randoms[0], &totals);
  }
  for (unsigned i = 0; i < arguments.threads; i++) {
    for (size_t object = 0; object < shares[i].count; object++) {
      workload::FreeTagged(shares[i].objects[object], &totals);
    }
    std::free(shares[i].objects);
  }
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "What malloc and free cost when much is live. --work is the MB "
                                  "that live at most; --seconds goes on measuring there.",
                         .threads = 1,
                         .work = 1000},
                        Run);
}
