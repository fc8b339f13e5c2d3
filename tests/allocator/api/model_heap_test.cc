// Random programs against a model: no two objects overlap, every object keeps its contents, through
// malloc, calloc, realloc, alignment, free by other threads, the ends of threads, and fork.
#include "tests/support/model_heap.h"

#include <gtest/gtest.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "prairie/prairie.h"

namespace {

using prairie::ModelHeap;
using prairie::PatternedObject;

// What threads leave for each other.
class Mailbox {
 public:
  void Put(PatternedObject object) {
    const std::lock_guard lock(mutex_);
    objects_.push_back(object);
  }
  bool Take(uint64_t dice, PatternedObject* object) {
    const std::lock_guard lock(mutex_);
    if (objects_.empty()) return false;
    std::swap(objects_[dice % objects_.size()], objects_.back());
    *object = objects_.back();
    objects_.pop_back();
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<PatternedObject> objects_;
};

struct Shared {
  ModelHeap model;
  Mailbox mailbox;
  std::atomic<int> faults{0};
};

// One thread of a random program.
class Player {
 public:
  Player(Shared& shared, uint64_t seed) : shared_(shared), random_(seed) {}

  void Play(int steps, int fork_every) {
    for (int step = 1; step <= steps; ++step) {
      Step();
      if (fork_every != 0 && step % fork_every == 0) Fork();
    }
    while (!mine_.empty()) FreeAt(mine_.size() - 1);
  }

  // The child has this thread alone, and everything that it had.
  void Fork() {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);  // Whoever waits for a thread that is not here waits for ever.
      in_child_ = true;
      for (int i = 0; i < 500; ++i) Step();
      bool sound = shared_.faults == 0;
      while (!mine_.empty()) FreeAt(mine_.size() - 1);
      prairie_trim();
      prairie_free(prairie_malloc(1 << 20));
      sound = sound && shared_.faults == 0;
      _exit(sound ? 0 : 1);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
      Fault("the child of a fork ended with status " + std::to_string(status));
    }
  }

 private:
  void Fault(const std::string& what) {
    ++shared_.faults;
    fprintf(stderr, "%s\n", what.c_str());
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

  // Mostly small, seldom megabytes.
  size_t AnySize() {
    const uint64_t dice = Below(1000);
    if (dice < 600) return Below(257);
    if (dice < 900) return Below(4097);
    if (dice < 980) return Below(40001);
    if (dice < 998) return Below(300001);
    return Below(4000001);
  }

  void Step() {
    const uint64_t dice = Below(100);
    if (dice < 40) {
      New();
    } else if (dice < 70) {
      if (!mine_.empty()) FreeAt(Below(mine_.size()));
    } else if (dice < 85) {
      if (!mine_.empty()) Resize(Below(mine_.size()));
    } else if (in_child_) {
      New();  // The mailbox may be locked by a thread that is not here.
    } else if (dice < 92) {
      if (mine_.empty()) return;
      const size_t i = Below(mine_.size());
      shared_.mailbox.Put(mine_[i]);
      Forget(i);
    } else {
      PatternedObject object;
      if (shared_.mailbox.Take(random_(), &object)) mine_.push_back(object);
    }
    if (mine_.size() > 1500) FreeAt(Below(mine_.size()));
  }

  void New() {
    PatternedObject object;
    object.size = AnySize();
    object.number = random_();
    size_t alignment = 16;
    void* data = nullptr;
    switch (Below(8)) {
      case 0:
        data = prairie_calloc(object.size, 1);
        for (size_t i = 0; data != nullptr && i < object.size; i += 1 + i / 64) {
          if (static_cast<char*>(data)[i] != 0) Fault("calloc gave memory that is not zero");
        }
        break;
      case 1:
        alignment = size_t{1} << Below(18);
        data = prairie_aligned_alloc(alignment, object.size);
        break;
      default:
        data = prairie_malloc(object.size);
    }
    if (data == nullptr) return Fault("no memory");
    if (reinterpret_cast<uintptr_t>(data) % alignment != 0) Fault("not aligned");
    object.data = static_cast<unsigned char*>(data);
    Arrive(object);
    mine_.push_back(object);
  }

  void Resize(size_t i) {
    PatternedObject& object = mine_[i];
    if (!object.IsIntact()) Fault("contents lost");
    Leave(object);
    const size_t size = Below(3) == 0 ? AnySize() + 1 : object.size + 1 + Below(object.size + 100);
    void* const data = prairie_realloc(object.data, size);
    if (data == nullptr) return Fault("no memory");
    object.data = static_cast<unsigned char*>(data);
    // Only what was written can be checked: the long object's first end.
    if (!object.IsIntact(std::min({size, object.size, PatternedObject::kEnds - 1}))) {
      Fault("realloc lost contents");
    }
    object.size = size;
    Arrive(object);
  }

  void FreeAt(size_t i) {
    if (!mine_[i].IsIntact()) Fault("contents lost");
    Leave(mine_[i]);
    prairie_free(mine_[i].data);
    Forget(i);
  }

  void Forget(size_t i) {
    mine_[i] = mine_.back();
    mine_.pop_back();
  }

  void Arrive(const PatternedObject& object) {
    // All that the object may hold is its owner's, not only what was asked for.
    const size_t usable = prairie_usable_size(object.data);
    if (usable < object.size) Fault("smaller than asked for");
    if (!in_child_ && !shared_.model.Add(object.data, usable)) Fault("objects overlap");
    object.Write();
  }

  void Leave(const PatternedObject& object) {
    if (!in_child_ && !shared_.model.Remove(object.data)) Fault("not in the model");
  }

  Shared& shared_;
  std::mt19937_64 random_;
  std::vector<PatternedObject> mine_;
  bool in_child_ = false;
};

size_t LiveObjects() {
  prairie_stats stats;
  EXPECT_EQ(prairie_get_stats(&stats, sizeof stats), 0);
  return stats.allocated_count;
}

// The seed of a failing run can be given again, and others tried: PRAIRIE_TEST_SEED=n.
uint64_t Seed(uint64_t usual) {
  const char* const given = getenv("PRAIRIE_TEST_SEED");
  const uint64_t seed = given == nullptr ? usual : strtoull(given, nullptr, 0);
  printf("PRAIRIE_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

void PlayTogether(uint64_t seed, int threads, int rounds, int steps, int fork_every) {
  const size_t before = LiveObjects();
  Shared shared;
  // Threads end and others begin while objects of theirs are still in the mailbox.
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::thread> players;
    for (int t = 0; t < threads; ++t) {
      const uint64_t own_seed = seed * 1000 + static_cast<uint64_t>(round * threads + t);
      players.emplace_back([&shared, own_seed, steps, fork_every, t] {
        Player(shared, own_seed).Play(steps, t == 0 ? fork_every : 0);
      });
    }
    for (std::thread& player : players) player.join();
    ASSERT_EQ(shared.faults, 0) << "seed " << seed << " round " << round;
  }
  PatternedObject left;
  while (shared.mailbox.Take(0, &left)) {
    EXPECT_TRUE(left.IsIntact());
    EXPECT_TRUE(shared.model.Remove(left.data));
    prairie_free(left.data);
  }
  EXPECT_EQ(shared.model.size(), 0U);
  EXPECT_EQ(LiveObjects(), before);
}

TEST(ModelHeapTest, OneThread) { PlayTogether(Seed(1), 1, 4, 40000, 0); }

TEST(ModelHeapTest, ThreadsThatPassObjectsToEachOther) { PlayTogether(Seed(2), 4, 4, 15000, 0); }

TEST(ModelHeapTest, ForkInTheMiddle) { PlayTogether(Seed(3), 4, 2, 8000, 400); }

// The tests above would not notice anything if these did not.
TEST(ModelHeapTest, TheModelNoticesOverlap) {
  ModelHeap model;
  char memory[100] = {};
  EXPECT_TRUE(model.Add(memory + 20, 20));
  EXPECT_FALSE(model.Add(memory + 20, 20));
  EXPECT_FALSE(model.Add(memory + 39, 10));
  EXPECT_FALSE(model.Add(memory + 10, 11));
  EXPECT_FALSE(model.Add(memory + 25, 1));
  EXPECT_TRUE(model.Add(memory + 40, 10));
  EXPECT_TRUE(model.Add(memory + 10, 10));
  EXPECT_FALSE(model.Remove(memory + 25));
  EXPECT_TRUE(model.Remove(memory + 20));
  EXPECT_TRUE(model.Add(memory + 25, 1));
}

TEST(ModelHeapTest, ThePatternNoticesDamage) {
  std::vector<unsigned char> memory(10000);
  for (const size_t size : {1, 16, 100, 10000}) {
    const PatternedObject object = {memory.data(), size, 7};
    object.Write();
    EXPECT_TRUE(object.IsIntact());
    for (const size_t damaged : {size_t{0}, size / 200, size - 1}) {
      memory[damaged] ^= 1;
      EXPECT_FALSE(object.IsIntact()) << damaged << " of " << size;
      memory[damaged] ^= 1;
    }
    EXPECT_FALSE((PatternedObject{memory.data(), size, 8}.IsIntact())) << "another's contents";
  }
}

}  // namespace
