// An Asio program of one thread, in which a task goes through a cold mapped file while others tick:
// how late the ticks are if the file is prefaulted, and if it is just touched.
//
// Usage: scheduler_benchmark [MEBIBYTES [TASKS]]; files lie in $BENCH_DIR, by default the current
// directory.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <asio.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "prairie/prefault_asio.hpp"

#if defined(ASIO_HAS_CO_AWAIT)

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTick = std::chrono::milliseconds(1);
constexpr size_t kPage = 4096, kPart = size_t{16} << 20;

bool reading_done = false;
std::vector<double> lateness;  // microseconds

asio::awaitable<void> Tick() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!reading_done) {
    const auto due = Clock::now() + kTick;
    timer.expires_at(due);
    co_await timer.async_wait(asio::use_awaitable);
    lateness.push_back(std::chrono::duration<double, std::micro>(Clock::now() - due).count());
  }
}

// Reads the file in parts, and lets the others run in between.
asio::awaitable<void> Read(const prairie::Mapping& mapping, bool prefault) {
  const auto executor = co_await asio::this_coro::executor;
  unsigned sum = 0;
  for (size_t begin = 0; begin < mapping.size(); begin += kPart) {
    const size_t size = std::min(kPart, mapping.size() - begin);
    if (prefault) {
      co_await prairie::async_prefault(executor, mapping, {begin, size}, asio::use_awaitable);
    }
    for (size_t at = begin; at < begin + size; at += kPage) {
      sum += static_cast<unsigned>(mapping.bytes()[at]);
    }
    co_await asio::post(asio::use_awaitable);
  }
  reading_done = sum != 0;
}

void Run(const std::string& path, int tasks, bool prefault) {
  const int fd = open(path.c_str(), O_RDONLY);
  if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) abort();
  close(fd);
  const prairie::Mapping mapping = *prairie::Mapping::map(path);
  const size_t resident = mapping.count_resident()->resident;
  reading_done = false;
  lateness.clear();
  asio::io_context context(1);
  for (int i = 0; i < tasks; ++i) asio::co_spawn(context, Tick(), asio::detached);
  asio::co_spawn(context, Read(mapping, prefault), asio::detached);
  const auto start = Clock::now();
  context.run();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::sort(lateness.begin(), lateness.end());
  const auto share = [&](double part) {
    return lateness.empty() ? 0.0 : lateness[static_cast<size_t>(part * (lateness.size() - 1))];
  };
  printf(
      "%-9s %7.0f ms, %zu of %zu pages cached before; ticks %6zu, late by (us): median %.0f, "
      "99%% %.0f, most %.0f\n",
      prefault ? "prefault" : "touch", seconds * 1e3, resident, mapping.size() / kPage,
      lateness.size(), share(0.5), share(0.99), share(1));
}

}  // namespace

int main(int count, char** values) {
  const size_t mebibytes = count > 1 ? strtoul(values[1], nullptr, 10) : 256;
  const int tasks = count > 2 ? atoi(values[2]) : 8;
  const char* const directory = getenv("BENCH_DIR");
  const std::string path =
      std::string(directory != nullptr ? directory : ".") + "/prairie_bench.scheduler";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::vector<char> part(1 << 20, 1);
  for (size_t i = 0; i < mebibytes; ++i) {
    if (write(fd, part.data(), part.size()) != static_cast<ssize_t>(part.size())) return 1;
  }
  if (fdatasync(fd) != 0) return 1;
  close(fd);
  for (int round = 0; round < 3; ++round) {
    Run(path, tasks, false);
    Run(path, tasks, true);
  }
  unlink(path.c_str());
}

#else

int main() {
  fprintf(stderr, "scheduler_benchmark: this compiler has no coroutines of C++20\n");
  return 2;
}

#endif
