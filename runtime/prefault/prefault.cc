#include "prairie/prefault.hpp"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>

#include "runtime/mapping/region.h"
#include "runtime/prefault/pool.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#endif

namespace prairie {
namespace {

// Whether a range is resident is found out at once up to this size; for more of it a thread is
// cheaper than the look.
constexpr size_t kLookBytes = size_t{256} << 20;

}  // namespace

struct PrefaultOperation::State final : SteppedWork {
  State(Mapping m, Range r)
      : mapping(std::move(m)), range(r), total(mapping.is_open() ? r.length : 0) {}

  bool Next(size_t most, size_t* offset, size_t* size) override {
    if (next == range.length || stop.load(std::memory_order_relaxed)) return false;
    // Steps end at pages, so that no page is read by two.
    const size_t page = MappingInternals::RegionOf(mapping)->files().PageSize();
    *offset = next;
    const uintptr_t at = reinterpret_cast<uintptr_t>(mapping.data()) + range.offset + next;
    const size_t to_page = std::max(most / page * page, page) - at % page;
    *size = std::min(to_page, range.length - next);
    next += *size;
    return true;
  }

  void Run(size_t offset, size_t size) override {
    if (stop.load(std::memory_order_relaxed)) return;
    if (const std::error_code failed = mapping.validate({range.offset + offset, size})) {
      Fail(failed);
    } else {
      done_bytes.fetch_add(size, std::memory_order_relaxed);
    }
  }

  // The first error counts.
  void Fail(std::error_code failed) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!error) error = failed;
    stop.store(true, std::memory_order_relaxed);
  }

  void Finish() override {
    // Whoever waits may close what it mapped, and must not share it with a thread of ours then.
    mapping = Mapping();
    std::vector<Callback> callbacks;
    std::error_code result;
    {
      std::lock_guard<std::mutex> lock(mutex);
      done = true;
      result = error;
      callbacks.swap(waiting);
    }
    finished.notify_all();
    for (const Callback& callback : callbacks) callback(result);
  }

  Mapping mapping;  // Changed by Finish alone, when nobody else looks.
  const Range range;
  const size_t total;
  size_t next = 0;  // Under the pool's lock.
  std::atomic<size_t> done_bytes{0};
  std::atomic<bool> stop{false};

  std::mutex mutex;
  std::condition_variable finished;
  std::vector<Callback> waiting;
  std::error_code error;
  bool done = false;
};

PrefaultOperation Mapping::prefault(Range range) const {
  const std::error_code wrong = CheckRange(&range);
  if (wrong) range = {};
  auto state = std::make_shared<PrefaultOperation::State>(wrong ? Mapping() : *this, range);
  state->error = wrong;
  if (!wrong && range.length != 0) {
    bool resident = false;
    if (range.length <= kLookBytes) {
      const Result<Residency> found = count_resident(range);
      resident = found.ok() && found->resident >= found->pages;
      // Pages of a file that was cut are still counted until they are gone.
      if (resident) resident = !region_->CompareWithFile(data_ + range.offset + range.length);
    }
    if (resident) {
      state->done_bytes = range.length;
    } else if (PrefaultPool::Get().Submit(state)) {
      return PrefaultOperation(std::move(state));
    } else {
      state->error = FromErrno(EAGAIN);
    }
  }
  state->mapping = Mapping();
  state->done = true;
  return PrefaultOperation(std::move(state));
}

void set_prefault_limits(const PrefaultLimits& limits) { PrefaultPool::Get().SetLimits(limits); }

bool PrefaultOperation::done() const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->done;
}

PrefaultProgress PrefaultOperation::progress() const {
  return {state_->done_bytes.load(std::memory_order_relaxed), state_->total};
}

std::error_code PrefaultOperation::wait() const {
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->finished.wait(lock, [&] { return state_->done; });
  return state_->error;
}

void PrefaultOperation::then(const Callback& callback) const {
  if (!CallUnlessDone(callback)) callback(wait());
}

std::future<std::error_code> PrefaultOperation::future() const {
  auto promise = std::make_shared<std::promise<std::error_code>>();
  std::future<std::error_code> future = promise->get_future();
  then([promise](std::error_code error) { promise->set_value(error); });
  return future;
}

void PrefaultOperation::cancel() const {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (state_->done || state_->error) return;
  }
  state_->Fail(MapError::kCancelled);
}

bool PrefaultOperation::CallUnlessDone(const Callback& callback) const {
  // A copy: what runs once it is registered may destroy this handle.
  const std::shared_ptr<State> state = state_;
  std::lock_guard<std::mutex> lock(state->mutex);
  if (state->done) return false;
  state->waiting.push_back(callback);
  return true;
}

}  // namespace prairie
