// larson: a server whose objects are freed by other threads, with threads that die and are
// replaced.
//
// Stands for servers with a pool of workers: each lane of the program is one thread after another.
// A thread replaces random objects of its lane, 16 to 500 bytes, most of which its predecessor
// allocated, and every fourth time exchanges one with all other lanes; then it ends, and a new
// thread goes on with the lane. One round is the life of one thread: 20000 replacements.
// After the idea of Larson and Krishnan, Memory allocation for long-running server applications.

#include <atomic>

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Tagged;
using workload::Totals;

constexpr unsigned kLaneObjects = 40000;
constexpr unsigned kSharedObjects = 4096;
constexpr unsigned kReplacements = 20000;

std::atomic<Tagged*> shared_objects[kSharedObjects];

struct Life {
  Tagged** objects;
  Random random;
  Totals totals;

  void operator()() {
    for (unsigned i = 0; i < kReplacements; i++) {
      Tagged* const fresh = workload::AllocateTagged(random.Between(16, 500), random.Next());
      Tagged* old;
      if (i % 4 == 0) {
        old = shared_objects[random.Below(kSharedObjects)].exchange(fresh);
      } else {
        Tagged*& slot = objects[random.Below(kLaneObjects)];
        old = slot;
        slot = fresh;
      }
      workload::FreeTagged(old, &totals);
    }
    totals.operations = kReplacements;
  }
};

Totals Lane(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  auto** const objects = static_cast<Tagged**>(std::calloc(kLaneObjects, sizeof(Tagged*)));
  if (objects == nullptr) workload::Fail("calloc returned NULL");
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    Life life = {objects, rounds.MakeRandom(), {}};
    pthread_t thread;
    workload::StartThread(&thread, &life);
    pthread_join(thread, nullptr);
    totals.Add(life.totals);
  }
  for (unsigned i = 0; i < kLaneObjects; i++) workload::FreeTagged(objects[i], &totals);
  std::free(objects);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  Totals totals = workload::OnThreads(arguments.threads,
                                      [&](unsigned index) { return Lane(arguments, index); });
  for (auto& object : shared_objects) workload::FreeTagged(object.exchange(nullptr), &totals);
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv,
      {.about = "A server: objects freed by other threads, threads that die and are replaced.",
       .threads = 2,
       .work = 200},
      Run);
}
