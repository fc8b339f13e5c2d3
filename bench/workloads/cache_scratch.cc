// cache_scratch: passive false sharing.
//
// One thread allocates an object of 8 bytes for each of the others, side by side; each frees its
// own and from then on allocates, writes and frees objects of that size. An allocator that gives a
// thread the memory it freed gives it a part of a cache line that others write too. One round is
// one object, written 10000 times. After the idea of Berger, McKinley, Blumofe and Wilson, Hoard.

#include "bench/workloads/workload.h"

namespace {

using workload::Totals;

constexpr unsigned kWrites = 10000;
constexpr size_t kSize = 8;

Totals Run(const workload::Arguments& arguments) {
  void* handed_out[workload::kMostThreads];
  for (unsigned i = 0; i < arguments.threads; i++) handed_out[i] = workload::Allocate(kSize);
  return workload::OnThreads(arguments.threads, [&](unsigned index) {
    Totals totals;
    std::free(handed_out[index]);
    for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
      void* const object = workload::Allocate(kSize);
      totals.checksum += workload::WriteHalves(object, rounds.MakeRandom().Next(), kWrites);
      totals.operations++;
      std::free(object);
    }
    return totals;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Passive false sharing: objects that another thread allocated "
                                  "are freed and their memory used again.",
                         .threads = 2,
                         .work = 200000},
                        Run);
}
