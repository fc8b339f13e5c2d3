#include "runtime/guard/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "runtime/guard/closed_regions.h"
#include "runtime/guard/guard.h"
#include "runtime/os/at_fork.h"

namespace prairie {

PRAIRIE_THREAD_LOCAL GuardFrame* innermost_guard = nullptr;

namespace {

// What was installed before, for each of the two signals. Written before our handler can run.
struct Previous {
  struct sigaction action = {};
  std::atomic<bool> spent{false};  // SA_RESETHAND: it has run once
};
Previous previous_bus, previous_segv;

std::mutex install_mutex;
std::atomic<bool> bus_installed{false}, segv_installed{false};

// A child of fork must not find it locked by a thread that it has not.
void KeepMutexOverFork() {
  static const int error = AtFork([] { install_mutex.lock(); }, [] { install_mutex.unlock(); },
                                  [] { install_mutex.unlock(); });
  static_cast<void>(error);
}

// Of the codes of SIGBUS, those of an access that could not be completed. Not: BUS_ADRALN (the
// program's mistake), BUS_MCEERR_AO (memory went bad somewhere, no access of this thread).
bool IsFailedAccess(int code) {
  return code == BUS_ADRERR || code == BUS_OBJERR || code == BUS_MCEERR_AR;
}

// Whether it says that this thread's instruction cannot go on, as all signals of the kernel's do
// that come here but one.
bool IsFault(int signal, const siginfo_t* info) {
  return info->si_code > 0 && !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

// The addresses of which the kernel speaks. Of memory that went bad it may know no more than the
// page.
struct Addresses {
  uintptr_t first, last;
};
Addresses FaultAddresses(const siginfo_t* info) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (info->si_code != BUS_MCEERR_AR || info->si_addr_lsb <= 0) return {address, address};
  const uintptr_t rest = (uintptr_t{1} << info->si_addr_lsb) - 1;
  return {address & ~rest, address | rest};
}

// Ends the process as the default action does, with the same information for whoever looks.
void DieByDefault(int signal, siginfo_t* info) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  // A fault repeats itself when the handler returns. What was sent must be sent again; it is
  // blocked until then.
  if (!IsFault(signal, info)) {
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info);
  }
}

void PassOn(Previous& previous, int signal, siginfo_t* info, void* context) {
  const struct sigaction& action = previous.action;
  const bool has_information = (action.sa_flags & SA_SIGINFO) != 0;
  const bool once = (action.sa_flags & static_cast<int>(SA_RESETHAND)) != 0;
  const bool spent = once && previous.spent.exchange(true);
  if (!has_information && action.sa_handler == SIG_IGN && !spent) {
    // The kernel never ignores a fault.
    if (IsFault(signal, info)) DieByDefault(signal, info);
  } else if ((!has_information && action.sa_handler == SIG_DFL) || spent) {
    DieByDefault(signal, info);
  } else if (has_information) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
}

void OnBus(int signal, siginfo_t* info, void* context) {
  if (IsFailedAccess(info->si_code)) {
    const Addresses fault = FaultAddresses(info);
#if defined(__x86_64__)
    if (CutCopyShort(context, fault.first, fault.last, static_cast<uintptr_t>(info->si_code))) {
      return;
    }
#endif
    for (GuardFrame* frame = innermost_guard; frame != nullptr; frame = frame->outer) {
      if (fault.last < frame->begin || fault.first >= frame->begin + frame->size) continue;
      frame->fault_address = fault.first;
      frame->fault_code = info->si_code;
      Recover(&frame->point, context);
      return;
    }
  }
  PassOn(previous_bus, signal, info, context);
}

void OnSegv(int signal, siginfo_t* info, void* context) {
  if (info->si_code > 0) {
    const int saved_errno = errno;
    ReportUseAfterClose(reinterpret_cast<uintptr_t>(info->si_addr));
    errno = saved_errno;
  }
  PassOn(previous_segv, signal, info, context);
}

int Install(int signal, void (*handler)(int, siginfo_t*, void*), Previous& previous) {
  if (sigaction(signal, nullptr, &previous.action) != 0) return errno;
  // The kernel gives us the mask and the stack that the previous handler wanted, so it can be
  // called as it is. Without a handler before, a thread's alternate stack is used if it has one.
  struct sigaction action = previous.action;
  if ((action.sa_flags & SA_SIGINFO) == 0 &&
      (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) {
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
  }
  action.sa_flags |= SA_SIGINFO;
  action.sa_flags &= ~static_cast<int>(SA_RESETHAND);
  action.sa_sigaction = handler;
  return sigaction(signal, &action, nullptr) == 0 ? 0 : errno;
}

}  // namespace

int InstallBusHandler() {
  if (bus_installed.load(std::memory_order_acquire)) return 0;
  KeepMutexOverFork();
  std::lock_guard<std::mutex> lock(install_mutex);
  if (bus_installed) return 0;
  const int error = Install(SIGBUS, OnBus, previous_bus);
  bus_installed = error == 0;
  return error;
}

int InstallSegvHandler() {
  if (segv_installed.load(std::memory_order_acquire)) return 0;
  KeepMutexOverFork();
  std::lock_guard<std::mutex> lock(install_mutex);
  if (segv_installed) return 0;
  const int error = Install(SIGSEGV, OnSegv, previous_segv);
  segv_installed = error == 0;
  return error;
}

}  // namespace prairie
