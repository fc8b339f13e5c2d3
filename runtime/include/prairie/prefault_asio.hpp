// Prefault for Asio (standalone, libasio-dev): with any completion token.
//
//   std::error_code e = co_await async_prefault(executor, mapping, {}, asio::use_awaitable);
//
// Cancellation of the token (a cancellation slot) cancels the operation.
#ifndef PRAIRIE_PREFAULT_ASIO_HPP_
#define PRAIRIE_PREFAULT_ASIO_HPP_

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <memory>
#include <utility>

#include "prairie/prefault.hpp"

namespace prairie {

// Starts a prefault; the handler, void(std::error_code), runs on its associated executor, by
// default `executor`, never inside this call. Errors: as PrefaultOperation.
template <typename Executor, typename CompletionToken>
auto async_prefault(const Executor& executor, const Mapping& mapping, Range range,
                    CompletionToken&& token) {
  return asio::async_initiate<CompletionToken, void(std::error_code)>(
      [](auto handler, Executor fallback, Mapping map, Range part) {
        const auto on = asio::get_associated_executor(handler, fallback);
        auto slot = asio::get_associated_cancellation_slot(handler);
        // What std::function holds can be copied; a handler perhaps cannot.
        auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        auto work =
            std::make_shared<decltype(asio::make_work_guard(on))>(asio::make_work_guard(on));
        const PrefaultOperation operation = map.prefault(part);
        if (slot.is_connected()) {
          slot.assign([operation](asio::cancellation_type) { operation.cancel(); });
        }
        operation.then([waiting, work, on, slot](std::error_code error) mutable {
          asio::post(on, [waiting = std::move(waiting), slot, error]() mutable {
            if (slot.is_connected()) slot.clear();
            auto handle = std::move(*waiting);
            waiting.reset();
            std::move(handle)(error);
          });
          // Only now: while this thread is in post(), the context must not run out of work, or its
          // owner may destroy it under our feet.
          work->reset();
        });
      },
      token, executor, mapping, range);
}

}  // namespace prairie

#endif  // PRAIRIE_PREFAULT_ASIO_HPP_
