#include "allocator/heap/background.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "allocator/base/config.h"
#include "allocator/heap/heap.h"
#include "allocator/os/process.h"

namespace prairie {
namespace {

constexpr size_t kStackBytes = 64 * kKiB;
constexpr uint64_t kRetryMilliseconds = 1000;
// Every so many epochs, four seconds, it looks whether it is the last thread, come what may.
constexpr uint32_t kEpochsForALook = 16;

void Sleep(uint64_t milliseconds) {
  timespec left = {static_cast<time_t>(milliseconds / 1000),
                   static_cast<long>(milliseconds % 1000 * 1000000)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

// A step in each millisecond, so that nobody waits for the page heap's lock for long.
void ReleaseIdlePages() {
  for (uint64_t i = 0; i < kEpochMilliseconds; ++i) {
    if (heap.page_heap().ReleaseIdle(MonotonicMilliseconds())) return;
    Sleep(1);
  }
}

// The mask of the thread that started this one.
sigset_t program_mask;

// The last thread of a process runs its exit handlers, for which Run has little stack and lets no
// signal in.
void* EndProcess(void*) {
  pthread_sigmask(SIG_SETMASK, &program_mask, nullptr);
  // A second is more than the other one needs; the file may have become unreadable.
  for (int i = 0; i < 1000 && !IsOneThreadLeft(); ++i) Sleep(1);
  return nullptr;
}

void* Run(void*) {
  for (uint32_t epoch = 1;; ++epoch) {
    Sleep(kEpochMilliseconds);
    // Where the main thread ends before the others the process ends with the last of them, and
    // would not while this one stays. A file is opened for that, so mostly only when none has a
    // cache; but a cache that was made after its thread's last destructor stays for ever.
    const bool is_look_due = heap.thread_count() == 0 || epoch % kEpochsForALook == 0;
    if (is_look_due && IsOneThreadLeft()) {
      pthread_t last;
      if (pthread_create(&last, nullptr, EndProcess, nullptr) == 0) pthread_detach(last);
      return nullptr;
    }
    const uint64_t now = MonotonicMilliseconds();
    while (!heap.ReturnIdle(now, true)) {
    }
    ReleaseIdlePages();
  }
}

}  // namespace

void BackgroundThread::Start() {
  State wanted = kWanted;
  if (!state_.compare_exchange_strong(wanted, kRunning, std::memory_order_relaxed)) return;
  // Signals are the program's: its threads have them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  program_mask = before;
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_t thread;
    error = pthread_create(&thread, &attributes, Run, nullptr);
    if (error == 0) pthread_setname_np(thread, "prairie");
    pthread_attr_destroy(&attributes);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    retry_at_.store(MonotonicMilliseconds() + kRetryMilliseconds, std::memory_order_relaxed);
    state_.store(kAbsent, std::memory_order_relaxed);
  }
}

}  // namespace prairie
