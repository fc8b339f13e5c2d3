// glibc_thread: random pairs of small sizes, each thread by itself.
//
// Stands for threads that do not talk to each other: what they allocate, they free. A thread
// replaces random ones of 1024 blocks of 8 to 2048 bytes, small ones by far the most often. One
// round is 50000 replacements. After the idea of glibc's bench-malloc-thread. It needs little
// memory: that is its point.

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kBlocks = 1024;
constexpr unsigned kReplacements = 50000;

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  Tagged* blocks[kBlocks] = {};
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    workload::Random random = rounds.MakeRandom();
    for (unsigned i = 0; i < kReplacements; i++) {
      const uint64_t draw = random.Next();
      Tagged*& block = blocks[draw % kBlocks];
      workload::FreeTagged(block, &totals);
      // 8 << 0 to 8 << 7, plus what fills up the octave; the higher of two draws is left out.
      const auto a = static_cast<uint32_t>(draw >> 20 & 7);
      const auto b = static_cast<uint32_t>(draw >> 30 & 7);
      const uint32_t base = 8u << (a < b ? a : b);
      block =
          workload::AllocateTagged(base + (static_cast<uint32_t>(draw >> 40) & (base - 1)), draw);
    }
    totals.operations += kReplacements;
  }
  for (Tagged* const block : blocks) workload::FreeTagged(block, &totals);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv,
      {.about = "Random pairs of small sizes, each thread by itself.", .threads = 2, .work = 800},
      Run);
}
