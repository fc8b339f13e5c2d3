// A cache that lives in what memory there is: under limit= (the driver sets it; argument: it, in
// bytes) a handler throws the oldest entries away, so that no allocation ever fails, nor any of
// operator new, of several threads or of a child. Without the handler operator new calls the
// new-handler, then throws.
#include <pthread.h>
#include <sys/wait.h>

#include <initializer_list>
#include <new>

#include "prairie/prairie.h"
#include "tests/hostile/hostile.h"

// Of the preloaded library.
extern "C" void prairie_set_pressure_handler(prairie_pressure_handler handler, void* argument)
    __attribute__((weak));
extern "C" void prairie_get_limit(size_t* soft, size_t* hard) __attribute__((weak));
extern "C" int prairie_set_limit(size_t soft, size_t hard) __attribute__((weak));
extern "C" int prairie_get_stats(struct prairie_stats* stats, size_t size) __attribute__((weak));
extern "C" int prairie_last_failure(struct prairie_failure* failure) __attribute__((weak));

namespace {

size_t limit = 0;
int calls[3];

// Entries of the cache, oldest first.
struct Entry {
  Entry* next;
};
Entry* oldest = nullptr;
Entry* newest = nullptr;
size_t entries = 0;

void Put(size_t size) {
  auto* entry = new (::operator new(size)) Entry{nullptr};
  (newest != nullptr ? newest->next : oldest) = entry;
  newest = entry;
  ++entries;
}

void ThrowAway(size_t count) {
  while (count-- > 0 && oldest != nullptr) {
    Entry* const next = oldest->next;
    ::operator delete(oldest);
    oldest = next;
    if (oldest == nullptr) newest = nullptr;
    --entries;
  }
}

void ThrowHalfAway(void* argument, enum prairie_pressure pressure) {
  CHECK(argument == &entries);
  ++calls[pressure];
  ThrowAway(entries / 2 + 1);
}

// What counts: pages and structures.
size_t Counted() {
  prairie_stats stats;
  CHECK(prairie_get_stats(&stats, sizeof stats) == 0);
  return stats.committed_bytes + stats.metadata_bytes;
}

void LiveInACache(size_t size) {
  prairie_set_pressure_handler(ThrowHalfAway, &entries);
  memset(calls, 0, sizeof calls);
  size_t puts = 0;
  for (size_t total = 0; total < 4 * limit; total += size) {
    Put(size);
    if (++puts % 64 == 0) CHECK(Counted() <= limit + 256 * kKilobyte);
  }
  CHECK(calls[PRAIRIE_PRESSURE_HARD] >= 2);
  ThrowAway(entries);
}

void SoftComesFirst() {
  CHECK(prairie_set_limit(limit / 2, limit) == 0);
  memset(calls, 0, sizeof calls);
  for (size_t total = 0; total < 2 * limit; total += 50000) Put(50000);
  CHECK(calls[PRAIRIE_PRESSURE_SOFT] >= 2 && calls[PRAIRIE_PRESSURE_HARD] == 0);
  ThrowAway(entries);
  CHECK(prairie_set_limit(0, limit) == 0);
}

int new_handler_calls = 0;
void* ballast = nullptr;

void NewHandler() {
  ++new_handler_calls;
  if (ballast == nullptr) std::set_new_handler(nullptr);
  free(ballast);
  ballast = nullptr;
}

// The pressure handler is asked before the new-handler, and has nothing; the new-handler has.
void NewHandlerAfterPressure() {
  memset(calls, 0, sizeof calls);
  ballast = malloc(limit / 2);
  CHECK(ballast != nullptr);
  std::set_new_handler(NewHandler);
  void* const block = ::operator new(limit / 4 * 3);
  CHECK(new_handler_calls == 1 && calls[PRAIRIE_PRESSURE_HARD] == 1);
  bool thrown = false;
  try {
    ::operator delete(::operator new(limit / 2));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  CHECK(thrown && new_handler_calls == 2);
  prairie_failure failure;
  CHECK(prairie_last_failure(&failure) == 0 && failure.kind == PRAIRIE_LIMIT_HEAP);
  ::operator delete(block);
}

void* ChurnInThread(void* seed) {
  Churn(reinterpret_cast<uintptr_t>(seed), 20000, 200 * kKilobyte);
  return nullptr;
}

// None of them comes near the limit but for what lies in the cache, which is not theirs: the main
// thread alone frees it.
void ThreadsAndAChild() {
  prairie_set_pressure_handler(nullptr, nullptr);
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 4; ++i) {
    CHECK(pthread_create(&threads[i], nullptr, ChurnInThread, reinterpret_cast<void*>(i)) == 0);
  }
  for (const pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  const pid_t child = fork();
  if (child == 0) {
    LiveInACache(20000);
    _exit(0);
  }
  int status = 1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2 && prairie_set_pressure_handler != nullptr);
  limit = strtoul(argv[1], nullptr, 10);
  size_t soft = 1;
  size_t hard = 0;
  prairie_get_limit(&soft, &hard);
  CHECK(soft == 0 && hard == limit);
  for (const size_t size : {size_t{100}, size_t{3000}, size_t{100000}, limit / 10}) {
    LiveInACache(size);
  }
  SoftComesFirst();
  NewHandlerAfterPressure();
  ThreadsAndAChild();
  return 0;
}
