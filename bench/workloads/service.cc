// service: a long-running service with daily peaks.
//
// Two days of 24 hours pass. The load follows the time of day, least at midnight and six times that
// at noon, and with it the number of requests in an hour and of sessions that are remembered. A
// request makes 40 mixed objects of 16 to 2048 bytes, some of which it grows or frees early, and a
// buffer of 4 to 64 KiB, all gone at its end; 8 sessions of 64 to 4096 bytes, which expire by age;
// and every fourth time it replaces a random one of 4000 accounts. Whose sessions a thread frees is
// a matter of chance. After each hour all threads sleep for 5 ms. At the end, hours after the
// second peak, the program sleeps for --settle seconds and nobody calls malloc: memory must go
// back.
//
// Each malloc and free of the 40 objects and of the buffer is timed. Figures:
//   rss_day_D_hour_H                  MiB, at the end of each hour; rss_start before the first
//   peak_live, settled_live           MiB that lived, as asked for, at the peak and in the end
//   settled_pages                     MiB of 4 KiB pages in which something lives then: less than
//   this
//                                     cannot stay resident, however much is given back
//   settled_rss, settled_ratio        after --settle seconds of sleep, and relative to what lived
//   malloc_p50, _p99, _p999, _worst   ns, the two readings of the clock included; free_ the same
//   busy_seconds                      time without sleep: ops/s counts this alone
// --work is thousands of requests in two days; with fewer than 150 there are fewer sessions, too.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>

#include "bench/workloads/latency.h"
#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Totals;

constexpr unsigned kHours = 24;
constexpr unsigned kObjects = 40;
constexpr unsigned kSessionsPerRequest = 8;
constexpr unsigned kMostSessions = 120000;
constexpr unsigned kSessionsPerThousand = 800;  // of requests, at the peak
constexpr unsigned kRing = 1 << 18;
constexpr unsigned kAccounts = 4000;
constexpr unsigned kMostExpired = 32;  // by one request
constexpr unsigned kPage = 4096;
constexpr uint64_t kPause = 5000000;  // ns

struct Session {
  uint64_t tag;
  uint32_t size;
};

// What one thread keeps to itself.
struct alignas(128) Worker {
  Totals totals;
  int64_t live =
      0;  // bytes of sessions and accounts made, less those freed: negative if others' too
  workload::Histogram malloc_ticks;
  workload::Histogram free_ticks;
};

std::atomic<Session*> sessions[kRing];  // session n is at n modulo kRing
std::atomic<uint64_t> newest;           // the number of the next session
std::atomic<uint64_t> oldest;
std::atomic<Session*> accounts[kAccounts];
Worker workers[workload::kMostThreads];

void* TimedMalloc(size_t size, Worker* worker) {
  const uint64_t start = workload::Ticks();
  void* const block = workload::Allocate(size);
  worker->malloc_ticks.Add(workload::Ticks() - start);
  worker->totals.operations++;
  return block;
}

void TimedFree(void* block, Worker* worker) {
  const uint64_t start = workload::Ticks();
  std::free(block);
  worker->free_ticks.Add(workload::Ticks() - start);
}

Session* MakeSession(Random* random, Worker* worker) {
  const uint32_t size = random->LogBetween(64, 4096);
  auto* const session = static_cast<Session*>(workload::Allocate(size));
  *session = {random->Next(), size};
  worker->live += size;
  worker->totals.operations++;
  return session;
}

void FreeSession(Session* session, Worker* worker) {
  if (session == nullptr) return;
  worker->totals.checksum += session->tag;
  worker->live -= session->size;
  std::free(session);
}

// Frees the oldest sessions until `keep` are left, but no more than `most`.
void Expire(uint64_t keep, uint64_t most, Worker* worker) {
  while (most > 0) {
    uint64_t number = oldest;
    if (newest - number <= keep) return;
    if (!oldest.compare_exchange_weak(number, number + 1)) continue;
    FreeSession(sessions[number % kRing].exchange(nullptr), worker);
    most--;
  }
}

// The objects of the request: what they hold is written, and read when they go.
void Compute(Random* random, Worker* worker) {
  uint64_t* objects[kObjects];
  const size_t buffer_size = random->LogBetween(4 << 10, 64 << 10);
  auto* const buffer = static_cast<uint64_t*>(TimedMalloc(buffer_size, worker));
  buffer[0] = buffer[buffer_size / sizeof(uint64_t) - 1] = 1;
  for (unsigned i = 0; i < kObjects; i++) {
    const uint32_t size = random->LogBetween(16, 2048);
    objects[i] = static_cast<uint64_t*>(TimedMalloc(size, worker));
    objects[i][0] = random->Next();
    if (i % 8 == 5) {
      objects[i] = static_cast<uint64_t*>(workload::Reallocate(objects[i], 2 * size));
    } else if (i % 4 == 3) {  // gone again
      worker->totals.checksum += objects[i][0];
      TimedFree(objects[i], worker);
      objects[i] = nullptr;
    }
  }
  for (unsigned i = 0; i < kObjects; i++) {
    if (objects[i] == nullptr) continue;
    worker->totals.checksum += objects[i][0];
    TimedFree(objects[i], worker);
  }
  TimedFree(buffer, worker);
}

void Serve(Random random, uint64_t keep, Worker* worker) {
  Compute(&random, worker);
  for (unsigned i = 0; i < kSessionsPerRequest; i++) {
    Session* const session = MakeSession(&random, worker);
    FreeSession(sessions[newest.fetch_add(1) % kRing].exchange(session), worker);
  }
  if (random.Below(4) == 0) {
    Session* const account = MakeSession(&random, worker);
    FreeSession(accounts[random.Below(kAccounts)].exchange(account), worker);
  }
  Expire(keep, kMostExpired, worker);
}

// Of the peak: 1 at noon, a sixth at midnight.
double Load(unsigned hour) { return (7 - 5 * std::cos(2 * M_PI * hour / kHours)) / 12; }

double LiveMib(unsigned threads) {
  int64_t live = 0;
  for (unsigned i = 0; i < threads; i++) live += workers[i].live;
  return static_cast<double>(live) / (1 << 20);
}

// Pages of sessions and accounts, without a call of malloc.
double MibOfPages() {
  static uintptr_t pages[2 * (kRing + kAccounts)];
  size_t count = 0;
  const auto add = [&](const std::atomic<Session*>& place) {
    const Session* const session = place;
    if (session == nullptr) return;
    const auto address = reinterpret_cast<uintptr_t>(session);
    pages[count++] = address / kPage;
    pages[count++] = (address + session->size - 1) / kPage;
  };
  for (const auto& session : sessions) add(session);
  for (const auto& account : accounts) add(account);
  std::sort(pages, pages + count);
  return static_cast<double>(std::unique(pages, pages + count) - pages) * kPage / (1 << 20);
}

void PrintLatency(const char* what, const workload::Histogram& histogram, double tick) {
  const auto print = [&](const char* which, uint64_t ticks) {
    char name[32];
    std::snprintf(name, sizeof name, "%s_%s", what, which);
    workload::PrintFigure(name, static_cast<double>(ticks) * tick, "ns");
  };
  print("p50", histogram.Quantile(0.5));
  print("p99", histogram.Quantile(0.99));
  print("p999", histogram.Quantile(0.999));
  print("worst", histogram.worst());
}

// The days, hour by hour; the threads, which live through all of it, start and end each together.
class Service {
 public:
  explicit Service(const workload::Arguments& arguments)
      : arguments_(arguments),
        requests_at_noon_(static_cast<double>(arguments.work) * 1000 / 28),
        sessions_at_noon_(static_cast<double>(
            std::min<uint64_t>(kMostSessions, arguments.work * kSessionsPerThousand))) {
    pthread_barrier_init(&barrier_, nullptr, arguments.threads);
    workload::PrintFigure("rss_start", workload::ResidentMib(), "MiB");
  }

  Totals Run() {
    workload::OnThreads(arguments_.threads, [this](unsigned index) {
      Live(index);
      return Totals();
    });
    Totals totals;
    workload::Histogram malloc_ticks;
    workload::Histogram free_ticks;
    for (auto& session : sessions) FreeSession(session.exchange(nullptr), &workers[0]);
    for (auto& account : accounts) FreeSession(account.exchange(nullptr), &workers[0]);
    for (unsigned i = 0; i < arguments_.threads; i++) {
      totals.Add(workers[i].totals);
      malloc_ticks.Add(workers[i].malloc_ticks);
      free_ticks.Add(workers[i].free_ticks);
    }
    const double tick = tick_.Nanoseconds();
    PrintLatency("malloc", malloc_ticks, tick);
    PrintLatency("free", free_ticks, tick);
    totals.busy_seconds = static_cast<double>(busy_) * 1e-9;
    workload::PrintFigure("busy_seconds", totals.busy_seconds, "s");
    if (LiveMib(arguments_.threads) != 0) workload::Fail("service: sessions were lost");
    return totals;
  }

 private:
  void Live(unsigned index) {
    uint64_t first = 0;  // request of the hour
    for (unsigned day = 1; GoesOn(day); day++) {
      for (unsigned hour = 0; hour < kHours; hour++) {
        const auto requests = static_cast<uint64_t>(requests_at_noon_ * Load(hour)) + 1;
        const auto keep = static_cast<uint64_t>(sessions_at_noon_ * Load(hour));
        Worker* const worker = &workers[index];
        pthread_barrier_wait(&barrier_);
        const uint64_t start = workload::NowNanoseconds();
        for (uint64_t i = first + index; i < first + requests; i += arguments_.threads) {
          Serve(Random(Random(arguments_.seed).Next() + i * 0x632be59bd9b4e019u), keep, worker);
        }
        pthread_barrier_wait(&barrier_);
        if (index == 0) {
          busy_ += workload::NowNanoseconds() - start;
          EndHour(day, hour);
        }
        workload::SleepNanoseconds(kPause);
        first += requests;
      }
    }
    if (index == 0) Settle();
    pthread_barrier_wait(&barrier_);
  }

  // The same answer for all threads: it changes only between barriers.
  bool GoesOn(unsigned day) {
    pthread_barrier_wait(&barrier_);
    if (day == 1) return true;
    return arguments_.seconds > 0
               ? static_cast<double>(day_ended_ - started_) < arguments_.seconds * 1e9
               : day <= 2;
  }

  void EndHour(unsigned day, unsigned hour) {
    char name[48];
    std::snprintf(name, sizeof name, "rss_day_%u_hour_%u", day, hour);
    workload::PrintFigure(name, workload::ResidentMib(), "MiB");
    peak_live_ = std::max(peak_live_, LiveMib(arguments_.threads));
    day_ended_ = workload::NowNanoseconds();
  }

  // The other threads wait, too.
  void Settle() {
    const double live = LiveMib(arguments_.threads);
    workload::PrintFigure("peak_live", peak_live_, "MiB");
    workload::PrintFigure("settled_live", live, "MiB");
    workload::SleepNanoseconds(static_cast<uint64_t>(arguments_.extra.value * 1e9));
    const double resident = workload::ResidentMib();
    workload::PrintFigure("settled_rss", resident, "MiB");
    workload::PrintFigure("settled_pages", MibOfPages(), "MiB");
    workload::PrintFigure("settled_ratio", resident / live, "times");
  }

  const workload::Arguments& arguments_;
  const double requests_at_noon_;  // 28 such hours are two days
  const double sessions_at_noon_;
  const workload::TickLength tick_;
  const uint64_t started_ = workload::NowNanoseconds();
  uint64_t day_ended_ = 0;
  uint64_t busy_ = 0;
  double peak_live_ = 0;
  pthread_barrier_t barrier_;
};

Totals Run(const workload::Arguments& arguments) { return Service(arguments).Run(); }

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "A long-running service with daily peaks.",
                         .threads = 2,
                         .work = 150,
                         .extra = {"--settle", "seconds of sleep after the last peak", 10}},
                        Run);
}
