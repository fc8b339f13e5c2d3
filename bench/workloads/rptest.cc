// rptest: random sizes, freed in random order, a third of them by other threads.
//
// Stands for job systems: a thread allocates what it needs, frees most of it itself, in any order,
// and hands the rest on. A round is 200 turns; in each the thread frees what others left in its
// box, allocates 100 blocks of 16 to 16000 bytes into places of its own, freeing what was there,
// and puts every third of what it frees into the box of the next thread instead.

#include <atomic>

#include "bench/workloads/workload.h"

namespace {

using workload::Totals;

constexpr unsigned kTurns = 200;
constexpr unsigned kBlocksPerTurn = 100;
constexpr unsigned kPlaces = 16384;

struct Block {
  uint64_t tag;
  Block* next;
};

// Blocks on their way to a thread.
struct alignas(128) Box {
  std::atomic<Block*> first;

  void Put(Block* block) {
    block->next = first.load(std::memory_order_relaxed);
    while (!first.compare_exchange_weak(block->next, block)) {
    }
  }
};

Box boxes[workload::kMostThreads];

void Free(Block* block, Totals* totals) {
  totals->checksum += block->tag;
  std::free(block);
}

void FreeAll(Box* box, Totals* totals) {
  Block* block = box->first.exchange(nullptr);
  while (block != nullptr) {
    Block* const next = block->next;
    Free(block, totals);
    block = next;
  }
}

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  auto** const places = static_cast<Block**>(std::calloc(kPlaces, sizeof(Block*)));
  if (places == nullptr) workload::Fail("calloc returned NULL");
  Box& next = boxes[(index + 1) % arguments.threads];
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    workload::Random random = rounds.MakeRandom();
    for (unsigned turn = 0; turn < kTurns; turn++) {
      FreeAll(&boxes[index], &totals);
      for (unsigned i = 0; i < kBlocksPerTurn; i++) {
        auto* const block = static_cast<Block*>(workload::Allocate(random.LogBetween(16, 16000)));
        block->tag = random.Next();
        Block*& place = places[random.Below(kPlaces)];
        if (place != nullptr) {
          if (i % 3 == 0) {
            next.Put(place);
          } else {
            Free(place, &totals);
          }
        }
        place = block;
      }
    }
    totals.operations += kTurns * kBlocksPerTurn;
  }
  for (unsigned i = 0; i < kPlaces; i++) {
    if (places[i] != nullptr) Free(places[i], &totals);
  }
  std::free(places);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  Totals totals = workload::OnThreads(arguments.threads,
                                      [&](unsigned index) { return Work(arguments, index); });
  for (Box& box : boxes) FreeAll(&box, &totals);
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Random sizes in random order, a third freed by other threads.",
                         .threads = 2,
                         .work = 100},
                        Run);
}
