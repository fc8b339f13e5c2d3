// xmalloc: producers and consumers.
//
// Stands for pipelines: one half of the threads allocates everything, the other half frees it, so
// that all blocks must find their way back. Blocks travel in batches of 128 through one queue,
// which holds at most 256 batches. One round is one batch, of sizes from 16 to 512 bytes. A single
// thread fills the queue and empties it, in turn.

#include "bench/workloads/workload.h"

namespace {

using workload::Tagged;
using workload::Totals;

constexpr unsigned kBatch = 128;
constexpr unsigned kQueue = 256;

struct Batch {
  Tagged* blocks[kBatch];
};

// Blocks the caller when there is no room, or nothing to take.
class Queue {
 public:
  explicit Queue(unsigned producers) : producers_(producers) {}

  void Put(Batch* batch) {
    pthread_mutex_lock(&lock_);
    while (count_ == kQueue) pthread_cond_wait(&has_room_, &lock_);
    batches_[(first_ + count_++) % kQueue] = batch;
    pthread_cond_signal(&has_batch_);
    pthread_mutex_unlock(&lock_);
  }

  // The oldest one; nullptr when no producer is left and the queue is empty.
  Batch* Take() {
    pthread_mutex_lock(&lock_);
    while (count_ == 0 && producers_ > 0) pthread_cond_wait(&has_batch_, &lock_);
    Batch* batch = nullptr;
    if (count_ > 0) {
      batch = batches_[first_];
      first_ = (first_ + 1) % kQueue;
      count_--;
      pthread_cond_signal(&has_room_);
    }
    pthread_mutex_unlock(&lock_);
    return batch;
  }

  void EndProducer() {
    pthread_mutex_lock(&lock_);
    producers_--;
    pthread_cond_broadcast(&has_batch_);
    pthread_mutex_unlock(&lock_);
  }

 private:
  pthread_mutex_t lock_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t has_room_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t has_batch_ = PTHREAD_COND_INITIALIZER;
  Batch* batches_[kQueue];
  unsigned first_ = 0;
  unsigned count_ = 0;
  unsigned producers_;
};

Batch* MakeBatch(workload::Random random) {
  auto* const batch = static_cast<Batch*>(workload::Allocate(sizeof(Batch)));
  for (Tagged*& block : batch->blocks) {
    block = workload::AllocateTagged(random.LogBetween(16, 512), random.Next());
  }
  return batch;
}

void FreeBatch(Batch* batch, Totals* totals) {
  for (Tagged* const block : batch->blocks) workload::FreeTagged(block, totals);
  std::free(batch);
  totals->operations += kBatch + 1;
}

Totals Alone(const workload::Arguments& arguments) {
  Totals totals;
  workload::Rounds rounds(arguments, 0, 1);
  Batch* batches[kQueue];
  unsigned count;
  do {
    for (count = 0; count < kQueue && rounds.Next(); count++) {
      batches[count] = MakeBatch(rounds.MakeRandom());
    }
    for (unsigned i = 0; i < count; i++) FreeBatch(batches[i], &totals);
  } while (count == kQueue);
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  if (arguments.threads == 1) return Alone(arguments);
  const unsigned producers = arguments.threads / 2;
  Queue queue(producers);
  return workload::OnThreads(arguments.threads, [&](unsigned index) {
    Totals totals;
    if (index < producers) {
      for (workload::Rounds rounds(arguments, index, producers); rounds.Next();) {
        queue.Put(MakeBatch(rounds.MakeRandom()));
      }
      queue.EndProducer();
    } else {
      while (Batch* const batch = queue.Take()) FreeBatch(batch, &totals);
    }
    return totals;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(
      argc, argv,
      {.about = "Producers and consumers: half of the threads allocate, the others free.",
       .threads = 2,
       .work = 40000},
      Run);
}
