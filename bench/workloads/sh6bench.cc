// sh6bench: stacks of blocks of many sizes, freed last in first out.
//
// Stands for programs that build something up and take it down again. One round goes through sizes
// from 16 to 1000 bytes, more blocks the smaller they are, 80000 in all. After each size it frees a
// third of that size's blocks, the latest first; at the end all the others, the latest first, but
// for every eighth: those survive until the end of the next round of this thread.

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kSizes = 60;
constexpr unsigned kBlocks = 160000;  // twice what one round allocates

// A stack of blocks with room for more than a round.
struct Stack {
  Tagged** blocks = static_cast<Tagged**>(workload::Allocate(kBlocks * sizeof(Tagged*)));
  unsigned count = 0;

  Stack() = default;
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() { std::free(blocks); }
  void FreeDownTo(unsigned level, Totals* totals) {
    while (count > level) workload::FreeTagged(blocks[--count], totals);
  }
};

uint32_t SizeOf(unsigned step) { return 16 + step * step * 984 / (kSizes * kSizes); }
unsigned CountOf(unsigned step) { return kBlocks * (kSizes - step) / (kSizes * kSizes); }

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  Stack stack;
  Stack survivors[2];  // of even and of odd rounds of this thread
  workload::Rounds rounds(arguments, index, arguments.threads);
  for (unsigned parity = 0; rounds.Next(); parity ^= 1) {
    workload::Random random = rounds.MakeRandom();
    for (unsigned step = 0; step < kSizes; step++) {
      const unsigned count = CountOf(step);
      for (unsigned i = 0; i < count; i++) {
        const uint32_t size = SizeOf(step) + random.Below(8);
        stack.blocks[stack.count++] = workload::AllocateTagged(size, random.Next());
      }
      totals.operations += count;
      stack.FreeDownTo(stack.count - count / 3, &totals);
    }
    while (stack.count > 0) {
      if (stack.count % 8 == 0) {
        survivors[parity].blocks[survivors[parity].count++] = stack.blocks[--stack.count];
      } else {
        stack.FreeDownTo(stack.count - 1, &totals);
      }
    }
    survivors[parity ^ 1].FreeDownTo(0, &totals);
  }
  for (Stack& rest : survivors) rest.FreeDownTo(0, &totals);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Stacks of blocks of many sizes, freed last in first out.",
                         .threads = 1,
                         .work = 200},
                        Run);
}
