// malloc_large: large blocks.
//
// Stands for programs that read whole files or keep images and matrices. Each thread has 20 places;
// a step puts a fresh block of 64 KiB to 16 MiB into a random one, in place of the old block, and
// writes to each 4 KiB of it. One round is 20 steps.

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kPlaces = 20;
constexpr unsigned kSteps = 20;
constexpr uint32_t kSmallest = 64 << 10;
constexpr uint32_t kLargest = 16 << 20;
constexpr uint32_t kTouch = 4096;

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  Tagged* places[kPlaces] = {};
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    workload::Random random = rounds.MakeRandom();
    for (unsigned step = 0; step < kSteps; step++) {
      Tagged*& place = places[random.Below(kPlaces)];
      workload::FreeTagged(place, &totals);
      const uint32_t size = random.LogBetween(kSmallest, kLargest);
      place = workload::AllocateTagged(size, random.Next());
      auto* const bytes = reinterpret_cast<volatile char*>(place);
      for (uint32_t offset = kTouch; offset < size; offset += kTouch) bytes[offset] = 1;
    }
    totals.operations += kSteps;
  }
  for (Tagged* const place : places) workload::FreeTagged(place, &totals);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv, {.about = "Large blocks, 64 KiB to 16 MiB.", .threads = 1, .work = 90}, Run);
}
