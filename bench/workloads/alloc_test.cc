// alloc_test: Pareto-distributed sizes and lifetimes.
//
// Stands for programs in general: most objects are small and die young, a few are large, a few
// stay. Each thread owns a table of places; a step chooses a place, the low ones far more often
// than the high ones, and replaces what is there. Every byte is written, as by a constructor. One
// round is 20000 steps. The sizes are 16 u^(-1/1.1), at most 32 KiB, for u uniform in (0, 1].

#include <cmath>
#include <cstring>

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kPlaces = 1 << 18;
constexpr unsigned kSteps = 20000;
constexpr unsigned kSizes = 1 << 14;
constexpr double kShape = 1.1;
constexpr double kLargest = 32768;

uint32_t sizes[kSizes];

void FillSizes() {
  for (unsigned i = 0; i < kSizes; i++) {
    const double size = 16 * std::pow((i + 1.0) / kSizes, -1 / kShape);
    sizes[i] = static_cast<uint32_t>(size < kLargest ? size : kLargest);
  }
}

// The place numbered P u^4: half of all steps go to the first sixteenth.
unsigned DrawPlace(double unit) {
  const double square = unit * unit;
  return static_cast<unsigned>(square * square * kPlaces);
}

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  auto** const places = static_cast<Tagged**>(std::calloc(kPlaces, sizeof(Tagged*)));
  if (places == nullptr) workload::Fail("calloc returned NULL");
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    workload::Random random = rounds.MakeRandom();
    for (unsigned i = 0; i < kSteps; i++) {
      Tagged*& place = places[DrawPlace(random.Unit())];
      workload::FreeTagged(place, &totals);
      const uint64_t draw = random.Next();
      const uint32_t size = sizes[draw % kSizes];
      place = workload::AllocateTagged(size, draw);
      std::memset(place + 1, static_cast<int>(draw & 0xff), size - sizeof(Tagged));
    }
    totals.operations += kSteps;
  }
  for (unsigned i = 0; i < kPlaces; i++) workload::FreeTagged(places[i], &totals);
  std::free(places);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  FillSizes();
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv, {.about = "Pareto-distributed sizes and lifetimes.", .threads = 1, .work = 250},
      Run);
}
