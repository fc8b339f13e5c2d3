// Prefault: brings a range of a mapping into memory on threads of the library, so that no scheduler
// waits for the medium in a page fault.
//
//   mapping.prefault(range).wait();                              // blocks
//   std::future<std::error_code> f = mapping.prefault(range).future();
//   mapping.prefault(range).then([](std::error_code e) { … });   // call-back
//   std::error_code e = co_await mapping.prefault(range);        // C++20 coroutine
//   async_prefault(executor, mapping, range, token);             // Asio: prefault_asio.hpp
#ifndef PRAIRIE_PREFAULT_HPP_
#define PRAIRIE_PREFAULT_HPP_

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <system_error>

#include "prairie/mapping.hpp"

namespace prairie {

// Shared by all operations of the process.
struct PrefaultLimits {
  unsigned threads = 2;  // at least 1; threads that have been started stay
  std::size_t bytes_in_flight = std::size_t{8} << 20;  // being read by all threads together
  std::size_t step = std::size_t{1} << 20;             // read by one thread in one call
};

// From the next step of each operation on. What is 0 is taken for 1 (thread, OS page). Any thread.
void set_prefault_limits(const PrefaultLimits& limits);

struct PrefaultProgress {
  std::size_t done = 0;   // bytes, whole steps
  std::size_t total = 0;  // bytes
};

// An operation that has been started. Copies are the same operation; it goes on if nobody holds it,
// and keeps the mapping until it is done. Operations share the threads step by step.
//
// The result: no error; kOutOfRange for a range past the end of the mapping, at once; kTruncated
// for one past the end of the file; kIoError; kCancelled; kClosed. What is resident already is
// answered at once, without a thread. A child of fork starts operations of its own; those of the
// parent never end there. Thread safety: any thread.
class PrefaultOperation {
 public:
  using Callback = std::function<void(std::error_code)>;

  bool done() const;
  PrefaultProgress progress() const;

  // Blocks until it is done.
  std::error_code wait() const;

  std::future<std::error_code> future() const;

  // Calls back once: in a thread of the library, which must not be kept for long, or at once if the
  // operation is done. Any number of call-backs; they must not throw.
  void then(const Callback& callback) const;

  // Starts no further step; it is done when those under way are.
  void cancel() const;

  // co_await: suspends unless it is done; goes on in a thread of the library.
  bool await_ready() const { return done(); }
  template <typename Handle>  // std::coroutine_handle<P>
  bool await_suspend(Handle waiting) const {
    return CallUnlessDone([waiting](std::error_code) mutable { waiting.resume(); });
  }
  std::error_code await_resume() const { return wait(); }

 private:
  friend class Mapping;
  struct State;
  friend struct PrefaultInternals;
  // False if it is done, and `callback` will not be called.
  bool CallUnlessDone(const Callback& callback) const;
  explicit PrefaultOperation(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace prairie

#endif  // PRAIRIE_PREFAULT_HPP_
