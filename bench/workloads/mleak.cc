// mleak: threads that end and must not leak.
//
// Stands for programs that start a thread for each job. One round is the life of one thread: it
// allocates 1 MiB in blocks of 16 to 4096 bytes, frees half of them, leaves the others to whoever
// started it, and ends. Memory that stays behind with every dead thread shows as peak RSS, which
// must not depend on --work.

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Tagged;
using workload::Totals;

constexpr size_t kBytes = size_t{1} << 20;
constexpr unsigned kMostBlocks = kBytes / 64;

struct Job {
  Random random;
  Tagged** blocks;
  unsigned count;
  Totals totals;

  void operator()() {
    size_t bytes = 0;
    unsigned all = 0;
    while (bytes < kBytes && all < kMostBlocks) {
      const uint32_t size = random.LogBetween(16, 4096);
      blocks[all++] = workload::AllocateTagged(size, random.Next());
      bytes += size;
    }
    count = 0;
    for (unsigned i = 0; i < all; i++) {
      if (i % 2 == 0) {
        blocks[count++] = blocks[i];
      } else {
        workload::FreeTagged(blocks[i], &totals);
      }
    }
    totals.operations = all;
  }
};

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  auto** const blocks = static_cast<Tagged**>(workload::Allocate(kMostBlocks * sizeof(Tagged*)));
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    Job job = {rounds.MakeRandom(), blocks, 0, {}};
    pthread_t thread;
    workload::StartThread(&thread, &job);
    pthread_join(thread, nullptr);
    for (unsigned i = 0; i < job.count; i++) workload::FreeTagged(blocks[i], &totals);
    totals.Add(job.totals);
  }
  std::free(blocks);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv, {.about = "Threads that end and must not leak.", .threads = 2, .work = 3000},
      Run);
}
