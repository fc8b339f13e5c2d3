// The heap of the process under Prairie's own limit: what is tried before NULL, and the handler.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "allocator/fast_path/fast_path.h"
#include "allocator/heap/heap.h"

namespace prairie {
namespace {

void Delete(void* pointer) { Free(pointer, Call::kFree); }

size_t Counted() { return heap.Stats().pages.counted_bytes; }

class HeapLimitTest : public testing::Test {
 protected:
  void SetUp() override {
    heap.Trim(Release::kCharge);
    asked_.clear();
    reaction_ = [] {};
    heap.pressure_handler().Set(
        [](void* argument, enum prairie_pressure pressure) {
          HeapLimitTest* const test = static_cast<HeapLimitTest*>(argument);
          test->asked_.push_back(pressure);
          test->reaction_();
        },
        this);
  }
  void TearDown() override {
    heap.pressure_handler().Set(nullptr, nullptr);
    heap.SetLimit({});
    FreeAll();
    heap.page_heap().CheckInvariants();
  }

  // Room for so much more, beyond what the heap has now.
  void LimitTo(size_t soft, size_t hard) {
    const size_t now = Counted();
    ASSERT_TRUE(heap.SetLimit({soft == 0 ? 0 : now + soft, hard == 0 ? 0 : now + hard}));
  }
  bool Keep(void* object, size_t size) {
    if (object == nullptr) return false;
    memset(object, 7, size < 4096 ? size : 4096);
    kept_.push_back(object);
    return true;
  }
  size_t Fill(size_t size) {
    size_t count = 0;
    while (Keep(Allocate(size), size)) ++count;
    return count;
  }
  void FreeAll() {
    for (void* object : kept_) Delete(object);
    kept_.clear();
  }

  std::vector<void*> kept_;
  std::vector<enum prairie_pressure> asked_;
  std::function<void()> reaction_;
};

TEST_F(HeapLimitTest, ObjectsOfAllSizesStopAtTheHardLimit) {
  heap.pressure_handler().Set(nullptr, nullptr);
  for (const size_t size : {size_t{24}, size_t{1000}, size_t{20000}, 100 * kKiB, kMiB}) {
    LimitTo(0, 16 * kMiB);
    const size_t hard = heap.Limit().hard;
    const size_t count = Fill(size);
    EXPECT_GE(count * size, 16 * kMiB / 100 * 60) << size;
    EXPECT_LE(Counted(), hard + 128 * kKiB) << size << ": but for span structs";
    EXPECT_EQ(heap.LastFailure().finding.limit, MemoryLimit::kHeapLimit);
    EXPECT_EQ(heap.LastFailure().finding.value, hard);
    EXPECT_EQ(heap.LastFailure().requested, size);
    EXPECT_GT(heap.LastFailure().finding.used, hard - 2 * kMiB);
    // And again after a free: small objects become large ones.
    FreeAll();
    void* const large = Allocate(12 * kMiB);
    EXPECT_NE(large, nullptr) << "after objects of " << size;
    Delete(large);
    heap.Trim(Release::kCharge);
  }
}

TEST_F(HeapLimitTest, BeforeNullTheHandlerIsAskedAndWhatItFreesIsUsed) {
  for (const size_t size : {size_t{100}, size_t{5000}, 200 * kKiB}) {
    heap.Trim(Release::kCharge);
    LimitTo(0, 8 * kMiB);
    heap.pressure_handler().Set(nullptr, nullptr);
    ASSERT_GT(Fill(size), 0U);
    SetUp();
    reaction_ = [this] { FreeAll(); };
    void* const object = Allocate(size);
    EXPECT_NE(object, nullptr) << size;
    EXPECT_EQ(asked_, std::vector{PRAIRIE_PRESSURE_HARD});
    Delete(object);
  }
}

TEST_F(HeapLimitTest, AHandlerThatFreesNothingIsAskedOncePerFailure) {
  LimitTo(0, 8 * kMiB);
  for (size_t i = 1; i <= 5; ++i) {
    errno = 55;
    EXPECT_EQ(Allocate(9 * kMiB), nullptr);
    EXPECT_EQ(errno, 55) << "it is the API that sets it";
    EXPECT_EQ(asked_.size(), i);
  }
}

TEST_F(HeapLimitTest, AFailureForAnotherReasonDoesNotAskTheHandler) {
  LimitTo(0, 8 * kMiB);
  ASSERT_TRUE(Keep(Allocate(kMiB), 4096));
  for (const size_t size : {heap.arena().window() + 1, heap.arena().window()}) {
    EXPECT_EQ(Allocate(size), nullptr);
    EXPECT_TRUE(asked_.empty()) << size;
    EXPECT_EQ(heap.LastFailure().finding.limit, MemoryLimit::kWindow);
  }
}

TEST_F(HeapLimitTest, TheHandlerMayAllocateButIsNotAskedFromWithin) {
  LimitTo(4 * kMiB, 8 * kMiB);
  void* from_within[3] = {};
  reaction_ = [&] {
    from_within[0] = Allocate(100);
    from_within[1] = Allocate(9 * kMiB);
    from_within[2] = Allocate(kMiB);
  };
  EXPECT_EQ(Allocate(10 * kMiB), nullptr);
  EXPECT_EQ(asked_, std::vector{PRAIRIE_PRESSURE_HARD});
  EXPECT_NE(from_within[0], nullptr);
  EXPECT_EQ(from_within[1], nullptr);
  EXPECT_NE(from_within[2], nullptr);
  for (void* object : from_within) Delete(object);
}

TEST_F(HeapLimitTest, WhileAnotherThreadIsInTheHandlerNobodyWaits) {
  LimitTo(0, 8 * kMiB);
  void* other = this;
  reaction_ = [&] { std::thread([&] { other = Allocate(9 * kMiB); }).join(); };
  EXPECT_EQ(Allocate(9 * kMiB), nullptr);
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(HeapLimitTest, CrossingTheSoftLimitAsksOnceUntilItHasFallen) {
  LimitTo(32 * kMiB, 0);
  for (int round = 0; round < 3; ++round) {
    asked_.clear();
    ASSERT_TRUE(Keep(Allocate(20 * kMiB), 4096));
    EXPECT_TRUE(asked_.empty());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Keep(Allocate(kMiB), 4096));
    EXPECT_EQ(asked_, std::vector{PRAIRIE_PRESSURE_SOFT}) << "round " << round;
    FreeAll();
    heap.Trim(Release::kCharge);
  }
}

TEST_F(HeapLimitTest, SmallObjectsAndReallocCrossItToo) {
  LimitTo(8 * kMiB, 0);
  for (size_t i = 0; asked_.empty(); ++i) {
    ASSERT_LT(i, 20 * kMiB / 1000);
    ASSERT_TRUE(Keep(Allocate(1000), 1000));
  }
  EXPECT_GT(Counted(), heap.Limit().soft);
  EXPECT_LT(Counted(), heap.Limit().soft + 2 * kMiB + 256 * kKiB) << "asked at once";
  FreeAll();
  heap.Trim(Release::kCharge);
  asked_.clear();
  LimitTo(8 * kMiB, 0);
  void* object = Allocate(kMiB);
  object = Reallocate(object, 10 * kMiB);
  EXPECT_NE(object, nullptr);
  EXPECT_EQ(asked_.size(), 1U);
  Delete(object);
}

TEST_F(HeapLimitTest, FreePagesOfItsOwnSpareTheProgramTheQuestion) {
  LimitTo(16 * kMiB, 0);
  ASSERT_TRUE(Keep(Allocate(2 * kMiB), 4096));
  void* const low = Allocate(10 * kMiB);
  ASSERT_TRUE(Keep(Allocate(kMiB), 4096));
  Delete(low);  // Committed still, but too short for what follows.
  ASSERT_TRUE(Keep(Allocate(12 * kMiB), 4096));
  EXPECT_TRUE(asked_.empty());
  EXPECT_LE(Counted(), heap.Limit().soft) << "it was given back instead";
  ASSERT_TRUE(Keep(Allocate(12 * kMiB), 4096));
  EXPECT_EQ(asked_.size(), 1U) << "a true crossing afterwards";
}

TEST_F(HeapLimitTest, ALargeBlockThatShrinksAtTheLimitGivesTheRestBack) {
  for (const size_t size : {size_t{1000}, 40 * kKiB, 14 * kMiB}) {
    heap.Trim(Release::kCharge);
    LimitTo(0, 24 * kMiB);
    heap.pressure_handler().Set(nullptr, nullptr);
    char* const large = static_cast<char*>(Allocate(16 * kMiB));
    ASSERT_NE(large, nullptr);
    memset(large, 7, 1000);
    ASSERT_GT(Fill(1000), 0U);
    SetUp();
    const size_t failures = heap.LastFailure().count;
    char* const shrunk = static_cast<char*>(Reallocate(large, size));
    ASSERT_NE(shrunk, nullptr);
    EXPECT_EQ(shrunk[999], 7);
    EXPECT_LE(UsableSize(shrunk), RoundUp(size, std::max(kPageSize, heap.OsPageSize()))) << size;
    EXPECT_TRUE(Keep(Allocate(kMiB), 4096)) << size;
    EXPECT_TRUE(asked_.empty()) << size << ": it needs no memory of the program's";
    EXPECT_EQ(heap.LastFailure().count, failures) << size;
    Delete(shrunk);
    FreeAll();
  }
}

TEST_F(HeapLimitTest, ALargeBlockThatCannotBeCopiedToShrinkGivesTheRestBack) {
  void* const large = Allocate(16 * kMiB);
  ASSERT_NE(large, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit limit = {1, RLIM_INFINITY};
    setrlimit(RLIMIT_DATA, &limit);
    while (Allocate(1000) != nullptr) {
    }
    void* const shrunk = Reallocate(large, 1000);
    // Pages that were unmapped cannot be had again beyond this limit.
    const bool has_room = !heap.arena().reserved() || Allocate(kMiB) != nullptr;
    const bool is_small = UsableSize(shrunk) <= std::max(kPageSize, heap.OsPageSize());
    _exit(is_small && has_room ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  Delete(large);
}

// A limit so tight that giving back and taking again could go on for ever.
TEST_F(HeapLimitTest, ATinySoftLimitIsNoTrap) {
  ASSERT_TRUE(heap.SetLimit({1, 0}));
  for (const size_t size : {size_t{16}, size_t{1000}, size_t{30000}, kMiB}) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(Keep(Allocate(size), size));
  }
  EXPECT_LE(asked_.size(), 1U);
}

TEST_F(HeapLimitTest, AChildThatIsForkedWhileTheHandlerRunsElsewhereHasItsOwn) {
  LimitTo(0, 8 * kMiB);
  std::atomic<int> state{0};
  reaction_ = [&] {
    state = 1;
    while (state != 2) std::this_thread::yield();
  };
  std::thread other([] { Delete(Allocate(9 * kMiB)); });
  while (state != 1) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) {
    asked_.clear();
    reaction_ = [] {};
    const bool failed = Allocate(9 * kMiB) == nullptr;
    _exit(failed && asked_.size() == 1 ? 0 : 1);
  }
  state = 2;
  other.join();
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(HeapLimitTest, ManyThreadsAtTheLimitWithAHandler) {
  LimitTo(12 * kMiB, 16 * kMiB);
  const size_t hard = heap.Limit().hard;
  std::atomic<int> calls{0}, inside{0};
  std::atomic<bool> overlapped{false};
  struct Shared {
    std::atomic<int>*calls, *inside;
    std::atomic<bool>* overlapped;
  } shared = {&calls, &inside, &overlapped};
  heap.pressure_handler().Set(
      [](void* argument, enum prairie_pressure) {
        Shared* const s = static_cast<Shared*>(argument);
        if (++*s->inside != 1) *s->overlapped = true;
        ++*s->calls;
        Delete(Allocate(5000));
        --*s->inside;
      },
      &shared);
  std::vector<std::thread> threads;
  std::atomic<bool> exceeded{false};
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        std::vector<void*> objects;
        for (unsigned i = 0; i < 100000; ++i) {
          void* const object = Allocate(i % 50 == t ? 60000 : 700);
          if (object == nullptr) break;
          objects.push_back(object);
        }
        if (Counted() > hard + kMiB) exceeded = true;  // thread caches and spans are not refused
        for (void* object : objects) Delete(object);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(calls, 0);
  EXPECT_FALSE(overlapped);
  EXPECT_FALSE(exceeded);
}

}  // namespace
}  // namespace prairie
