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

// Of a copy of 1 to kSmallCopy bytes. `code` is 0, and `value` the last byte of the source as it
// was after all others had been read; or the copy was cut short, and they are what CutCopyShort was
// told.
inline constexpr size_t kSmallCopy = 64;
struct CopyOutcome {
  uintptr_t value;
  uintptr_t code;
};

#if defined(__x86_64__)
// Needs no recovery point: where the processor stands and what its registers hold tells the handler
// all. So the price is a call.
extern "C" CopyOutcome prairie_copy_small(void* to, const void* from, size_t size);

// In a signal handler. Whether `context` stands in prairie_copy_small, and one of the addresses
// from `first` to `last` is in its source: then that copy returns {first, code} when the handler
// does.
bool CutCopyShort(void* context, uintptr_t first, uintptr_t last, uintptr_t code);
#endif

// In a signal handler, of the thread and inside the call that `point` belongs to; `context` is the
// handler's third argument. The handler must return at once (elsewhere than on x86-64 this does not
// return).
void Recover(RecoveryPoint* point, void* context);

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_OS_RECOVERY_H_
