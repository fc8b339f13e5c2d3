// A call that a signal handler can cut short: the machine's part of guarded access.
//
// The caller of RunRecoverable goes on behind the call, with its registers as they were, when the
// handler says so by Recover. What the function was doing stays half done, and no destructor of its
// frames runs. It is neither setjmp nor longjmp: the handler returns as handlers do, so the kernel
// restores the signal mask and the alternate stack, and the price is a few pushes.
#ifndef PRAIRIE_RUNTIME_OS_RECOVERY_H_
#define PRAIRIE_RUNTIME_OS_RECOVERY_H_

#include <stddef.h>
#include <stdint.h>

#if !defined(__x86_64__)
#include <setjmp.h>
#endif

namespace prairie {

// Where to go on. Filled by RunRecoverable, valid until it returns.
struct RecoveryPoint {
#if defined(__x86_64__)
  void* stack;
  void* resume;
#else
  sigjmp_buf context;
#endif
};

using RecoverableFunction = uintptr_t (*)(void* a, const void* b, size_t c);

// Returns what `function` returns; if it was cut short, any value: whoever called Recover must have
// left word. Exceptions pass through.
#if defined(__x86_64__)
extern "C" uintptr_t prairie_run_recoverable(RecoveryPoint* point, RecoverableFunction function,
                                             void* a, const void* b, size_t c);
inline uintptr_t RunRecoverable(RecoveryPoint* point, RecoverableFunction function, void* a,
                                const void* b, size_t c) {
  return prairie_run_recoverable(point, function, a, b, c);
}
#else
uintptr_t RunRecoverable(RecoveryPoint* point, RecoverableFunction function, void* a, const void* b,
                         size_t c);
#endif

// Copies 1 to kSmallCopy bytes, and returns the last byte of the source as it is after all others
// have been read; can be cut short like RunRecoverable, and is faster: it saves no registers,
// because it uses none that matter.
inline constexpr size_t kSmallCopy = 64;
#if defined(__x86_64__)
extern "C" uintptr_t prairie_copy_recoverable(RecoveryPoint* point, void* to, const void* from,
                                              size_t size);
inline uintptr_t CopyRecoverable(RecoveryPoint* point, void* to, const void* from, size_t size) {
  return prairie_copy_recoverable(point, to, from, size);
}
#else
uintptr_t CopyRecoverable(RecoveryPoint* point, void* to, const void* from, size_t size);
#endif

// In a signal handler, of the thread and inside the call that `point` belongs to; `context` is the
// handler's third argument. The handler must return at once (elsewhere than on x86-64 this does not
// return).
void Recover(RecoveryPoint* point, void* context);

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_OS_RECOVERY_H_
