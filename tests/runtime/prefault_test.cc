// Prefault: every way to wait for it, its errors, its limits.
#include "prairie/prefault.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#if defined(__cpp_impl_coroutine)
#include <coroutine>
#endif
#include <future>
#include <mutex>
#include <thread>

#include "runtime/mapping/region.h"
#include "runtime/prefault/pool.h"
#include "tests/runtime/failing_files.h"
#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kSize = 64 * kPage;

// Files whose pages never look resident, and whose reading can be held up.
class SlowFiles : public FailingFiles {
 public:
  std::atomic<bool> hold{false};
  std::atomic<int> reading{0}, most_reading{0}, started{0};
  std::mutex order_mutex;
  std::vector<void*> order;  // of the reads, by address

  int CountCached(int, uint64_t, uint64_t, CacheCounts* counts) override {
    *counts = {};
    return 0;
  }
  int Advise(void* address, size_t size, int advice) override {
    ++started;
    {
      std::lock_guard<std::mutex> lock(order_mutex);
      order.push_back(address);
    }
    most_reading = std::max<int>(most_reading, ++reading);
    while (hold) std::this_thread::yield();
    const int error = SystemFiles().Advise(address, size, advice);
    --reading;
    return error;
  }
};

class PrefaultTest : public testing::Test {
 protected:
  PrefaultTest() : file_(kSize) {
    set_prefault_limits({});
    mapping_ = *MappingInternals::Map(slow_, file_.path(), {}, CallSite::current());
  }
  ~PrefaultTest() { slow_.hold = false; }

  TemporaryFile file_;
  SlowFiles slow_;
  Mapping mapping_;
};

TEST_F(PrefaultTest, Blocking) {
  const PrefaultOperation operation = mapping_.prefault();
  EXPECT_FALSE(operation.wait());
  EXPECT_FALSE(operation.wait()) << "again";
  EXPECT_TRUE(operation.done());
  EXPECT_EQ(operation.progress().done, kSize);
  EXPECT_EQ(operation.progress().total, kSize);
  EXPECT_GT(slow_.started, 0);
}

TEST_F(PrefaultTest, EvictedFileComesBack) {
  Mapping mapping = *Mapping::map(file_.path(), {.access = Access::kReadWrite});
  ASSERT_FALSE(mapping.sync());
  const int fd = open(file_.path().c_str(), O_RDONLY);
  ASSERT_EQ(fdatasync(fd), 0);
  { Mapping gone = std::move(mapping), also_gone = std::move(mapping_); }
  ASSERT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  close(fd);
  mapping_ = *Mapping::map(file_.path());
  const size_t before = mapping_.count_resident()->resident;
  if (before == 64) GTEST_SKIP() << "this file system keeps its pages in memory";
  EXPECT_FALSE(mapping_.prefault().wait());
  EXPECT_EQ(mapping_.count_resident()->resident, 64U);
  EXPECT_TRUE(HasPattern(mapping_.bytes()));
}

TEST_F(PrefaultTest, Future) {
  std::future<std::error_code> future = mapping_.prefault({5, 20000}).future();
  EXPECT_FALSE(future.get());
}

TEST_F(PrefaultTest, Callback) {
  // Shared: the thread of the library is in set_value for a while after get() has returned here.
  const auto called = std::make_shared<std::promise<std::thread::id>>();
  slow_.hold = true;
  const PrefaultOperation operation = mapping_.prefault();
  operation.then([called](std::error_code error) {
    EXPECT_FALSE(error);
    called->set_value(std::this_thread::get_id());
  });
  slow_.hold = false;
  EXPECT_NE(called->get_future().get(), std::this_thread::get_id());
  bool at_once = false;
  operation.wait();
  operation.then([&](std::error_code) { at_once = true; });
  EXPECT_TRUE(at_once);
}

#if defined(__cpp_impl_coroutine)
// A coroutine that runs until it ends, and tells.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

using SharedPromise = std::shared_ptr<std::promise<std::error_code>>;

// `end` goes after the handle of the mapping.
struct Held {
  std::shared_ptr<void> end;
  Mapping mapping;
};

Task Await(SharedPromise result, Range range, Held held) {
  const std::error_code error = co_await held.mapping.prefault(range);
  result->set_value(error);
}

TEST_F(PrefaultTest, Coroutine) {
  const auto result = std::make_shared<std::promise<std::error_code>>();
  slow_.hold = true;
  std::promise<void> ended;
  const auto end = [&](void*) { ended.set_value(); };
  Await(result, {}, {std::shared_ptr<void>(nullptr, end), mapping_});
  std::future<std::error_code> future = result->get_future();
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  // The coroutine, and with it its handle of the mapping, ends in a thread of the library.
  mapping_ = Mapping();
  slow_.hold = false;
  EXPECT_FALSE(future.get());
  ended.get_future().wait();
  const auto wrong = std::make_shared<std::promise<std::error_code>>();
  Await(wrong, {kSize + 1}, {nullptr, *Mapping::map(file_.path())});
  EXPECT_EQ(wrong->get_future().get(), MapError::kOutOfRange);
}
#else
TEST_F(PrefaultTest, Coroutine) { GTEST_SKIP() << "this compiler has no coroutines of C++20"; }
#endif

TEST_F(PrefaultTest, ResidentIsAnsweredAtOnce) {
  FailingFiles files;  // Counts calls.
  const Mapping mapping = *MappingInternals::Map(files, file_.path(), {}, CallSite::current());
  const PrefaultOperation operation = mapping.prefault();
  EXPECT_TRUE(operation.done());
  EXPECT_FALSE(operation.wait());
  EXPECT_EQ(operation.progress().done, kSize);
  EXPECT_EQ(files.calls("Advise"), 0);
}

TEST_F(PrefaultTest, NothingToDo) {
  EXPECT_TRUE(mapping_.prefault({100, 0}).done());
  EXPECT_FALSE(mapping_.prefault({kSize}).wait());
  EXPECT_EQ(Mapping().prefault().wait(), MapError::kClosed);
  EXPECT_EQ(mapping_.prefault({0, kSize + 1}).wait(), MapError::kOutOfRange);
  EXPECT_TRUE(mapping_.prefault({kSize + 1}).done());
}

TEST_F(PrefaultTest, PastTheEndOfTheFile) {
  file_.Truncate(kSize / 2 + 10);
  EXPECT_EQ(mapping_.prefault().wait(), MapError::kTruncated);
  EXPECT_EQ(mapping_.prefault({kSize / 2, 11}).wait(), MapError::kTruncated);
  EXPECT_FALSE(mapping_.prefault({0, kSize / 2 + 10}).wait());
  const Mapping whole = *Mapping::map(file_.path());
  file_.Truncate(kSize / 4);
  EXPECT_EQ(whole.prefault().wait(), MapError::kTruncated);
  EXPECT_EQ(whole.prefault({0, kSize / 4 + 1}).wait(), MapError::kTruncated);
}

TEST_F(PrefaultTest, Cancel) {
  set_prefault_limits({.threads = 1, .bytes_in_flight = 1, .step = kPage});
  slow_.hold = true;
  const PrefaultOperation first = mapping_.prefault(), second = mapping_.prefault();
  while (slow_.reading == 0) std::this_thread::yield();
  first.cancel();
  second.cancel();
  EXPECT_FALSE(first.done()) << "a step is under way";
  slow_.hold = false;
  EXPECT_EQ(first.wait(), MapError::kCancelled);
  EXPECT_EQ(second.wait(), MapError::kCancelled);
  EXPECT_LT(first.progress().done, kSize);
  EXPECT_LE(slow_.started, 4);
  const PrefaultOperation third = mapping_.prefault();
  EXPECT_FALSE(third.wait());
  third.cancel();
  EXPECT_FALSE(third.wait()) << "too late";
}

TEST_F(PrefaultTest, Progress) {
  set_prefault_limits({.threads = 1, .step = kPage});
  slow_.hold = true;
  const PrefaultOperation operation = mapping_.prefault({1, kSize - 2});
  EXPECT_EQ(operation.progress().total, kSize - 2);
  EXPECT_EQ(operation.progress().done, 0U);
  slow_.hold = false;
  size_t last = 0;
  while (!operation.done()) {
    const size_t done = operation.progress().done;
    EXPECT_GE(done, last);
    last = done;
  }
  EXPECT_EQ(operation.progress().done, kSize - 2);
}

TEST_F(PrefaultTest, BytesInFlight) {
  set_prefault_limits({.threads = 8, .bytes_in_flight = 3 * kPage, .step = kPage});
  slow_.hold = true;
  std::vector<PrefaultOperation> operations;
  for (int i = 0; i < 4; ++i) operations.push_back(mapping_.prefault());
  while (slow_.reading < 3) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_EQ(slow_.reading, 3);
  slow_.hold = false;
  for (const PrefaultOperation& operation : operations) EXPECT_FALSE(operation.wait());
  EXPECT_EQ(slow_.most_reading, 3);
  // A step that is larger than the limit runs alone.
  set_prefault_limits({.threads = 8, .bytes_in_flight = 1, .step = 16 * kPage});
  slow_.most_reading = 0;
  EXPECT_FALSE(mapping_.prefault().wait());
  EXPECT_EQ(slow_.most_reading, 1);
}

// A short operation does not wait for the end of a long one that came before.
TEST_F(PrefaultTest, OperationsTakeTurns) {
  // One step at a time, whatever threads earlier tests have started.
  set_prefault_limits({.threads = 1, .bytes_in_flight = 1, .step = kPage});
  slow_.hold = true;
  const PrefaultOperation long_one = mapping_.prefault();
  const PrefaultOperation short_one = mapping_.prefault({0, kPage});
  slow_.hold = false;
  EXPECT_FALSE(short_one.wait());
  EXPECT_FALSE(long_one.wait());
  // The first page was read for both: by the second at the latest in the third step.
  int first_page = 0;
  for (size_t i = 0; i < 3; ++i) first_page += slow_.order[i] == mapping_.data() ? 1 : 0;
  EXPECT_EQ(first_page, 2);
}

TEST_F(PrefaultTest, KeepsTheMapping) {
  slow_.hold = true;
  const PrefaultOperation operation = mapping_.prefault();
  EXPECT_FALSE(mapping_.close());
  slow_.hold = false;
  EXPECT_FALSE(operation.wait());
}

TEST_F(PrefaultTest, InAChildOfFork) {
  EXPECT_FALSE(mapping_.prefault().wait());
  const pid_t child = fork();
  if (child == 0) _exit(mapping_.prefault().wait() ? 1 : 0);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// Whatever other threads are doing: no lock of theirs is left locked in the child.
TEST_F(PrefaultTest, ForksWhileOthersWork) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer knows no threads in a child of a process with threads";
#endif
  set_prefault_limits({.threads = 2, .bytes_in_flight = 2 * kPage, .step = kPage});
  TemporaryFile file(4 * kPage);
  const auto work = [&] {
    Result<Mapping> mapping = Mapping::map(file.path());
    if (!mapping.ok()) return 1;
    // So that the pool has something to do.
    const int descriptor = MappingInternals::RegionOf(*mapping)->descriptor();
    SystemFiles().SyncData(descriptor);
    SystemFiles().Evict(descriptor, 0, 4 * kPage);
    if (mapping->prefault().wait()) return 2;
    if (mapping->close()) return 3;
    return 0;
  };
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&] {
      while (!stop) EXPECT_EQ(work(), 0);
    });
  }
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(20);
      _exit(work());
    }
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "killed by " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  stop = true;
  for (std::thread& other : others) other.join();
}

}  // namespace
}  // namespace prairie
