// size_shift: fragmentation after a shift of sizes.
//
// Stands for programs whose phases use different objects. A round fills 12 MiB with objects of one
// range of sizes, frees nine of ten of them in random order, fills 12 MiB with objects of the next
// range, frees the tenth that had stayed, and so on. The ranges rise from 16 to 8000 bytes and fall
// again. An allocator that cannot use the memory of one size for another needs more than twice of
// what lives: the most that lived is printed as the figure `live_mib`, to be compared with the peak
// of RSS.

#include <atomic>

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Tagged;
using workload::Totals;

constexpr size_t kBytes = size_t{12} << 20;

struct Range {
  uint32_t low;
  uint32_t high;
};
constexpr Range kRanges[] = {{16, 48},     {64, 128},    {160, 400},  {500, 1200},
                             {1300, 3000}, {3100, 8000}, {900, 1500}, {100, 300}};

// A generation: objects of one range, and a table of them with room for all.
struct Generation {
  Tagged** objects = nullptr;
  unsigned count = 0;
  size_t bytes = 0;

  void Fill(const Range& range, size_t share, Random* random, Totals* totals) {
    objects = static_cast<Tagged**>(workload::Allocate((share / range.low + 1) * sizeof(Tagged*)));
    for (bytes = 0, count = 0; bytes < share; count++) {
      const uint32_t size = random->Between(range.low, range.high);
      objects[count] = workload::AllocateTagged(size, random->Next());
      bytes += size;
    }
    totals->operations += count;
  }

  // Frees all but every `stay`-th, in random order.
  void Thin(unsigned stay, Random* random, Totals* totals) {
    for (unsigned i = count; i > 1; i--) {
      const uint32_t other = random->Below(i);
      Tagged* const object = objects[i - 1];
      objects[i - 1] = objects[other];
      objects[other] = object;
    }
    const unsigned left = count / stay;
    while (count > left) workload::FreeTagged(objects[--count], totals);
    bytes /= stay;
  }

  void FreeAll(Totals* totals) {
    while (count > 0) workload::FreeTagged(objects[--count], totals);
    std::free(objects);
    objects = nullptr;
  }
};

std::atomic<uint64_t> most_live;

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  size_t live = 0;
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    Random random = rounds.MakeRandom();
    Generation before;
    for (const Range& range : kRanges) {
      Generation now;
      now.Fill(range, kBytes, &random, &totals);
      if (now.bytes + before.bytes > live) live = now.bytes + before.bytes;
      before.FreeAll(&totals);
      now.Thin(10, &random, &totals);
      before = now;
    }
    before.FreeAll(&totals);
  }
  most_live += live;
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  const Totals totals = workload::OnThreads(arguments.threads,
                                            [&](unsigned index) { return Work(arguments, index); });
  workload::PrintFigure("live_mib", static_cast<double>(most_live.load()) / (1 << 20), "MiB");
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv, {.about = "Fragmentation after a shift of sizes.", .threads = 1, .work = 4}, Run);
}
