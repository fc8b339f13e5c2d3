// Guards: while one is up, SIGBUS in its range of addresses is an error of that access.
//
// A guard belongs to the thread that runs under it, and to one call. Guards nest: a fault goes to
// the innermost whose range has the address. What runs under one must not leave it by longjmp, nor
// switch stacks.
#ifndef PRAIRIE_RUNTIME_GUARD_GUARD_H_
#define PRAIRIE_RUNTIME_GUARD_GUARD_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <atomic>

#include "allocator/base/compiler.h"
#include "runtime/os/recovery.h"

namespace prairie {

struct GuardFrame {
  RecoveryPoint point;
  GuardFrame* outer;
  uintptr_t begin;
  size_t size;
  uintptr_t fault_address;
  int fault_code;  // si_code of the fault; 0: none
};

// The innermost guard of this thread. The signal handler reads it.
extern PRAIRIE_HIDDEN PRAIRIE_THREAD_LOCAL GuardFrame* innermost_guard;

// What stopped a guarded call.
struct Fault {
  uintptr_t address = 0;
  int code = 0;  // si_code; 0: nothing did
};

// Puts up a guard for [begin, begin + size) and calls `run` with its recovery point. What it covers
// may be cut short: the objects of its frames are then not destroyed. Otherwise *result is what it
// returned. REQUIRES: InstallBusHandler has succeeded.
template <typename Run>
PRAIRIE_ALWAYS_INLINE Fault UnderGuard(const void* begin, size_t size, uintptr_t* result, Run run) {
  struct Scope {
    GuardFrame frame;
    ~Scope() {  // By an exception too.
      std::atomic_signal_fence(std::memory_order_seq_cst);
      innermost_guard = frame.outer;
    }
  } scope;
  GuardFrame& frame = scope.frame;
  frame.outer = innermost_guard;
  frame.begin = reinterpret_cast<uintptr_t>(begin);
  frame.size = size;
  frame.fault_code = 0;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  innermost_guard = &frame;
  *result = run(&frame.point);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (PRAIRIE_LIKELY(frame.fault_code == 0)) return {};
  return {frame.fault_address, frame.fault_code};
}

// Runs function(a, b, c) under a guard.
PRAIRIE_ALWAYS_INLINE Fault RunGuarded(const void* begin, size_t size, RecoverableFunction function,
                                       void* a, const void* b, size_t c, uintptr_t* result) {
  return UnderGuard(begin, size, result,
                    [=](RecoveryPoint* point) { return RunRecoverable(point, function, a, b, c); });
}

// Copies out of [from, from + size), under a guard for it. *last: the last byte of the source, read
// after all others. REQUIRES: 0 < size <= kSmallCopy.
PRAIRIE_ALWAYS_INLINE Fault CopyGuarded(void* to, const void* from, size_t size, uintptr_t* last) {
#if defined(__x86_64__)
  const CopyOutcome outcome = prairie_copy_small(to, from, size);
  *last = outcome.value;
  if (PRAIRIE_LIKELY(outcome.code == 0)) return {};
  return {outcome.value, static_cast<int>(outcome.code)};
#else
  const RecoverableFunction copy = [](void* a, const void* b, size_t c) {
    memcpy(a, b, c);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return uintptr_t{static_cast<const volatile unsigned char*>(b)[c - 1]};
  };
  return RunGuarded(from, size, copy, to, from, size, last);
#endif
}

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_GUARD_GUARD_H_
