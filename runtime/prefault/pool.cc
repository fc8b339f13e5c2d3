#include "runtime/prefault/pool.h"

#include <signal.h>

#include <algorithm>
#include <thread>

#include "runtime/os/at_fork.h"

namespace prairie {

namespace {

std::mutex pool_mutex;
PrefaultPool* pool = nullptr;

}  // namespace

PrefaultPool& PrefaultPool::Get() {
  // Both locks are held over fork, so that the child finds them free and the limits whole.
  static const int error = AtFork(&BeforeFork, &InParent, &InChild);
  static_cast<void>(error);
  std::lock_guard<std::mutex> lock(pool_mutex);
  if (pool == nullptr) {
    pool = new PrefaultPool;  // Never destroyed: its threads may run to the end of the process.
  }
  return *pool;
}

void PrefaultPool::BeforeFork() {
  pool_mutex.lock();
  if (pool != nullptr) pool->mutex_.lock();
}

void PrefaultPool::InParent() {
  if (pool != nullptr) pool->mutex_.unlock();
  pool_mutex.unlock();
}

// The threads are not here. What is left of their pool, a condition variable with waiters among it,
// is given up.
void PrefaultPool::InChild() {
  if (pool != nullptr) {
    const PrefaultLimits limits = pool->limits_;
    pool = new PrefaultPool;
    pool->limits_ = limits;
  }
  pool_mutex.unlock();
}

void PrefaultPool::SetLimits(const PrefaultLimits& limits) {
  std::lock_guard<std::mutex> lock(mutex_);
  limits_ = limits;
  limits_.threads = std::max(limits_.threads, 1u);
  limits_.step = std::max(limits_.step, size_t{1});
  changed_.notify_all();
}

size_t PrefaultPool::peak_in_flight() {
  std::lock_guard<std::mutex> lock(mutex_);
  return peak_in_flight_;
}

bool PrefaultPool::StartThreads() {
  // Signals of the program are for its own threads.
  sigset_t all, before;
  sigfillset(&all);
  for (const int fault : {SIGBUS, SIGSEGV, SIGILL, SIGFPE}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (threads_ < limits_.threads) {
    try {
      std::thread([this] { Work(); }).detach();
    } catch (const std::system_error&) {
      break;  // EAGAIN: a limit on threads or memory.
    }
    ++threads_;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return threads_ > 0;
}

bool PrefaultPool::Submit(std::shared_ptr<SteppedWork> work) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!StartThreads()) return false;
  work->queued_ = true;
  queue_.push_back(std::move(work));
  changed_.notify_all();
  return true;
}

void PrefaultPool::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    // One step alone may be larger than the limit, or nothing would ever run.
    changed_.wait(lock, [&] {
      return !queue_.empty() &&
             (in_flight_ == 0 || in_flight_ + limits_.step <= limits_.bytes_in_flight);
    });
    const std::shared_ptr<SteppedWork> work = std::move(queue_.front());
    queue_.pop_front();
    size_t offset = 0, size = 0;
    work->queued_ = work->Next(limits_.step, &offset, &size);
    if (work->queued_) {
      // Behind the others, for its next step.
      queue_.push_back(work);
      ++work->running_;
      in_flight_ += size;
      peak_in_flight_ = std::max(peak_in_flight_, in_flight_);
      changed_.notify_one();
      lock.unlock();
      work->Run(offset, size);
      lock.lock();
      --work->running_;
      in_flight_ -= size;
      changed_.notify_all();
    }
    if (work->running_ == 0 && !work->queued_) {
      lock.unlock();
      work->Finish();
      lock.lock();
    }
  }
}

}  // namespace prairie
