// mstress: phases with survivors, threads that exchange.
//
// Stands for programs that work in phases: a thread starts, allocates much, keeps a fifth of it,
// exchanges objects with all other threads, and ends; what survived is freed phases later, by
// another thread. A round is one thread of one phase: 20000 objects of 8 to 4000 bytes, a few of up
// to 256 KiB, every word of which is written and checked when they are freed. After each phase a
// half of the survivors is freed. After the idea of the stress test of mimalloc.

#include <atomic>

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Totals;

constexpr unsigned kObjects = 20000;
constexpr unsigned kSurvivors = 4096;

struct Object {
  uint64_t words;  // that follow
  uint64_t word[];
};

std::atomic<Object*> survivors[kSurvivors];

uint64_t Word(uint64_t words, uint64_t position) { return (words << 32 | position) ^ 0x5bd1e995u; }

Object* Make(Random* random) {
  const uint32_t kind = random->Below(1000);
  const uint64_t words = kind == 0   ? random->LogBetween(4096, 32768)
                         : kind < 10 ? random->LogBetween(512, 4096)
                                     : random->LogBetween(1, 500);
  auto* const object = static_cast<Object*>(workload::Allocate((words + 1) * sizeof(uint64_t)));
  object->words = words;
  for (uint64_t i = 0; i < words; i++) object->word[i] = Word(words, i);
  return object;
}

void Free(Object* object, Totals* totals) {
  if (object == nullptr) return;
  const uint64_t words = object->words;
  for (uint64_t i = 0; i < words; i++) {
    if (object->word[i] != Word(words, i)) workload::Fail("mstress: an object was overwritten");
  }
  totals->checksum += words * 0x9e3779b97f4a7c15u;
  std::free(object);
}

Totals Phase(Random random) {
  Totals totals;
  auto** const kept = static_cast<Object**>(workload::Allocate(kObjects * sizeof(Object*)));
  Random choice(random.Next());  // what is exchanged, and so chosen later, depends on the others
  unsigned count = 0;
  for (unsigned i = 0; i < kObjects; i++) {
    kept[count++] = Make(&random);
    if (choice.Below(3) == 0) {  // a random one of them goes
      const uint32_t chosen = choice.Below(count);
      Free(kept[chosen], &totals);
      kept[chosen] = kept[--count];
    }
    if (choice.Below(5) == 0 && count > 0) {
      const uint32_t chosen = choice.Below(count);
      kept[chosen] = survivors[choice.Below(kSurvivors)].exchange(kept[chosen]);
      if (kept[chosen] == nullptr) kept[chosen] = kept[--count];
    }
  }
  while (count > 0) Free(kept[--count], &totals);
  std::free(kept);
  totals.operations = kObjects;
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  Totals totals;
  workload::Rounds rounds(arguments, 0, 1);
  for (unsigned phase = 0;; phase++) {
    Random randoms[workload::kMostThreads];
    unsigned threads = 0;
    while (threads < arguments.threads && rounds.Next()) randoms[threads++] = rounds.MakeRandom();
    if (threads == 0) break;
    totals.Add(workload::OnThreads(threads, [&](unsigned index) { return Phase(randoms[index]); }));
    for (unsigned i = phase % 2; i < kSurvivors; i += 2) {
      Free(survivors[i].exchange(nullptr), &totals);
    }
  }
  for (auto& survivor : survivors) Free(survivor.exchange(nullptr), &totals);
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv,
      {.about = "Phases with survivors, threads that exchange objects.", .threads = 2, .work = 100},
      Run);
}
