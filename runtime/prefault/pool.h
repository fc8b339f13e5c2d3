// The threads that read ahead, shared by all operations of the process, step by step in turn.
#ifndef PRAIRIE_RUNTIME_PREFAULT_POOL_H_
#define PRAIRIE_RUNTIME_PREFAULT_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>

#include "prairie/prefault.hpp"

namespace prairie {

// Work in steps. The pool calls Run from several threads at once, for different steps; Finish once,
// when no step is under way and none is to come.
class SteppedWork {
 public:
  virtual ~SteppedWork() = default;
  // The next step of at most `most` bytes: its offset and size. False if there is none. Called
  // under the pool's lock.
  virtual bool Next(size_t most, size_t* offset, size_t* size) = 0;
  virtual void Run(size_t offset, size_t size) = 0;
  virtual void Finish() = 0;

 private:
  friend class PrefaultPool;
  int running_ = 0;  // Under the pool's lock.
  bool queued_ = false;
};

// Thread safety: any thread.
class PrefaultPool {
 public:
  // The process's. A child of fork gets one of its own, with the same limits: the threads of the
  // parent are not there.
  static PrefaultPool& Get();

  void SetLimits(const PrefaultLimits& limits);
  // False if not even one thread can be had.
  bool Submit(std::shared_ptr<SteppedWork> work);
  // The most bytes that were under way at any time. For tests.
  size_t peak_in_flight();

 private:
  static void BeforeFork();
  static void InParent();
  static void InChild();

  void Work();
  bool StartThreads();

  std::mutex mutex_;
  std::condition_variable changed_;
  PrefaultLimits limits_;
  std::deque<std::shared_ptr<SteppedWork>> queue_;
  unsigned threads_ = 0;
  size_t in_flight_ = 0;
  size_t peak_in_flight_ = 0;
};

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_PREFAULT_POOL_H_
