// cache_thrash: active false sharing.
//
// Each thread allocates, writes and frees objects of 8 bytes, all at the same time. An allocator
// that carves objects for several threads out of one cache line makes them wait for each other. One
// round is one object, written 10000 times. After the idea of Berger, McKinley, Blumofe and Wilson,
// Hoard.

#include "bench/workloads/workload.h"

namespace {

using workload::Totals;

constexpr unsigned kWrites = 10000;
constexpr size_t kSize = 8;

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads, [&](unsigned index) {
    Totals totals;
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
  return workload::Main(
      argc, argv,
      {.about = "Active false sharing: threads allocate and write small objects at the same time.",
       .threads = 2,
       .work = 200000},
      Run);
}
