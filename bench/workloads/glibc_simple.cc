// glibc_simple: blocks of one small size at a time, allocated and freed in order.
//
// Stands for tight loops: hardly anything but malloc and free. One round takes the sizes 16, 32,
// 64, 128, 256, 512 and 1024 in turn; for each it allocates 25, 100, 400 and 1600 blocks and frees
// them in the order in which they came, and then again with every second one freed before the
// others. After the idea of glibc's bench-malloc-simple. It needs little memory: that is its point.

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kMostBlocks = 1600;
constexpr unsigned kCounts[] = {25, 100, 400, kMostBlocks};

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  Tagged* blocks[kMostBlocks];
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    const uint64_t tag = rounds.MakeRandom().Next();
    for (size_t size = 16; size <= 1024; size *= 2) {
      for (const unsigned count : kCounts) {
        for (unsigned step = 1; step <= 2; step++) {
          for (unsigned i = 0; i < count; i++) blocks[i] = workload::AllocateTagged(size, tag + i);
          for (unsigned from = 0; from < step; from++) {
            for (unsigned i = from; i < count; i += step) workload::FreeTagged(blocks[i], &totals);
          }
          totals.operations += count;
        }
      }
    }
  }
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Blocks of one small size, allocated and freed in order.",
                         .threads = 1,
                         .work = 400},
                        Run);
}
