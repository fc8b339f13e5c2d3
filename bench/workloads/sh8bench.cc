// sh8bench: batches of one size, freed in order, in reverse, and by other threads.
//
// Stands for mixes of what threaded programs do. A thread keeps 600 batches of 50 blocks. A round
// makes 600 new ones, of sizes that come again and again from 16 to 1200 bytes; each replaces the
// batch at its place, which is freed first to last, or last to first, or is exchanged with a place
// that all threads share, in turn; what comes back from there was mostly allocated by others.

#include <atomic>

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kBatch = 50;
constexpr unsigned kBatches = 600;
constexpr unsigned kShared = 256;

struct Batch {
  Tagged* blocks[kBatch];
};

std::atomic<Batch*> shared[kShared];

uint32_t SizeOf(unsigned number) {
  const unsigned step = number % 30;
  return 16 + step * step * 1184 / (29 * 29);
}

Batch* MakeBatch(uint32_t size, workload::Random* random) {
  auto* const batch = static_cast<Batch*>(workload::Allocate(sizeof(Batch)));
  for (Tagged*& block : batch->blocks) block = workload::AllocateTagged(size, random->Next());
  return batch;
}

void FreeBatch(Batch* batch, bool reversed, Totals* totals) {
  if (batch == nullptr) return;
  for (unsigned i = 0; i < kBatch; i++) {
    workload::FreeTagged(batch->blocks[reversed ? kBatch - 1 - i : i], totals);
  }
  std::free(batch);
}

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  auto** const batches = static_cast<Batch**>(std::calloc(kBatches, sizeof(Batch*)));
  if (batches == nullptr) workload::Fail("calloc returned NULL");
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    workload::Random random = rounds.MakeRandom();
    for (unsigned i = 0; i < kBatches; i++) {
      Batch* old = batches[i];
      batches[i] = MakeBatch(SizeOf(i), &random);
      if (i % 3 == 2) old = shared[random.Below(kShared)].exchange(old);
      FreeBatch(old, i % 2 == 1, &totals);
      totals.operations += kBatch + 1;
    }
  }
  for (unsigned i = 0; i < kBatches; i++) FreeBatch(batches[i], true, &totals);
  std::free(batches);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  Totals totals = workload::OnThreads(arguments.threads,
                                      [&](unsigned index) { return Work(arguments, index); });
  for (auto& place : shared) FreeBatch(place.exchange(nullptr), false, &totals);
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv,
      {.about = "Batches freed in order, in reverse and by other threads, of many sizes.",
       .threads = 2,
       .work = 150},
      Run);
}
