// Prefault with Asio's completion tokens.
#include "prairie/prefault_asio.hpp"

#include <gtest/gtest.h>

#include <asio.hpp>
#include <atomic>
#include <thread>

#include "runtime/mapping/region.h"
#include "tests/runtime/failing_files.h"
#include "tests/runtime/temporary_file.h"

namespace prairie {
namespace {

class ColdFiles : public FailingFiles {
 public:
  std::atomic<bool> hold{false};
  int CountCached(int, uint64_t, uint64_t, CacheCounts* counts) override {
    *counts = {};
    return 0;
  }
  int Advise(void* address, size_t size, int advice) override {
    while (hold) std::this_thread::yield();
    return SystemFiles().Advise(address, size, advice);
  }
};

class PrefaultAsioTest : public testing::Test {
 protected:
  PrefaultAsioTest() : file_(1 << 20) {
    set_prefault_limits({.threads = 1, .step = 4096});
    mapping_ = *MappingInternals::Map(cold_, file_.path(), {}, CallSite::current());
  }
  TemporaryFile file_;
  ColdFiles cold_;
  Mapping mapping_;
  asio::io_context context_;
};

TEST_F(PrefaultAsioTest, Handler) {
  int called = 0;
  std::thread::id thread;
  async_prefault(context_.get_executor(), mapping_, {}, [&](std::error_code error) {
    EXPECT_FALSE(error);
    thread = std::this_thread::get_id();
    ++called;
  });
  EXPECT_EQ(called, 0) << "never inside the call";
  context_.run();
  EXPECT_EQ(called, 1) << "run() has waited: there was work";
  EXPECT_EQ(thread, std::this_thread::get_id()) << "on the executor";
}

TEST_F(PrefaultAsioTest, ResidentAlready) {
  const Mapping resident = *Mapping::map(file_.path());
  bool called = false;
  async_prefault(context_.get_executor(), resident, {}, [&](std::error_code) { called = true; });
  EXPECT_FALSE(called) << "never inside the call";
  context_.run();
  EXPECT_TRUE(called);
}

#if defined(ASIO_HAS_CO_AWAIT)
TEST_F(PrefaultAsioTest, Awaitable) {
  bool done = false;
  asio::co_spawn(
      context_,
      [&]() -> asio::awaitable<void> {
        co_await async_prefault(context_.get_executor(), mapping_, {}, asio::use_awaitable);
        try {
          co_await async_prefault(context_.get_executor(), mapping_, {size_t{1} << 30},
                                  asio::use_awaitable);
        } catch (const std::system_error& error) {
          done = error.code() == MapError::kOutOfRange;
        }
      },
      asio::detached);
  context_.run();
  EXPECT_TRUE(done);
}
#else
TEST_F(PrefaultAsioTest, Awaitable) { GTEST_SKIP() << "this compiler has no coroutines of C++20"; }
#endif

TEST_F(PrefaultAsioTest, Future) {
  std::future<void> future =
      async_prefault(context_.get_executor(), mapping_, {}, asio::use_future);
  context_.run();
  EXPECT_NO_THROW(future.get());
}

TEST_F(PrefaultAsioTest, Cancellation) {
  cold_.hold = true;
  asio::cancellation_signal signal;
  std::error_code result;
  async_prefault(
      context_.get_executor(), mapping_, {},
      asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error) { result = error; }));
  signal.emit(asio::cancellation_type::all);
  cold_.hold = false;
  context_.run();
  EXPECT_EQ(result, MapError::kCancelled);
  signal.emit(asio::cancellation_type::all);  // Nobody listens any more.
}

#if defined(ASIO_HAS_CO_AWAIT)
// One thread, a cold file, and other tasks: they run while it is being read.
TEST_F(PrefaultAsioTest, OtherTasksRunMeanwhile) {
  cold_.hold = true;
  int ticks = 0;
  bool done = false;
  asio::co_spawn(
      context_,
      [&]() -> asio::awaitable<void> {
        co_await async_prefault(context_.get_executor(), mapping_, {}, asio::use_awaitable);
        done = true;
      },
      asio::detached);
  asio::co_spawn(
      context_,
      [&]() -> asio::awaitable<void> {
        for (; ticks < 100; ++ticks) co_await asio::post(asio::use_awaitable);
        EXPECT_FALSE(done);
        cold_.hold = false;
      },
      asio::detached);
  context_.run();
  EXPECT_TRUE(done);
  EXPECT_EQ(ticks, 100);
}
#else
TEST_F(PrefaultAsioTest, OtherTasksRunMeanwhile) {
  GTEST_SKIP() << "this compiler has no coroutines of C++20";
}
#endif

}  // namespace
}  // namespace prairie
