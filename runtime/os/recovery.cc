#include "runtime/os/recovery.h"

#include <ucontext.h>

namespace prairie {

#if defined(__x86_64__)

static_assert(offsetof(RecoveryPoint, stack) == 0);

// The registers that a function must preserve lie on the stack below the return address; `stack`
// remembers where. To recover is to set the stack pointer there and to go on at the label.
asm(R"(
.text
.globl prairie_run_recoverable
.hidden prairie_run_recoverable
.type prairie_run_recoverable, @function
.align 16
prairie_run_recoverable:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbp, 0
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbx, 0
  pushq %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r12, 0
  pushq %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r13, 0
  pushq %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r14, 0
  pushq %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r15, 0
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  movq %rsp, (%rdi)
  movq %rsi, %rax
  movq %rdx, %rdi
  movq %rcx, %rsi
  movq %r8, %rdx
  call *%rax
.globl prairie_recover_here
.hidden prairie_recover_here
prairie_recover_here:
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore r15
  popq %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore r14
  popq %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore r13
  popq %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore r12
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbx
  popq %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbp
  ret
  .cfi_endproc
.size prairie_run_recoverable, . - prairie_run_recoverable
)");

extern "C" char prairie_recover_here[] __attribute__((visibility("hidden")));

void Recover(RecoveryPoint* point, void* context) {
  constexpr greg_t kDirectionFlag = 1 << 10;  // Functions expect it clear.
  gregset_t& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  registers[REG_RSP] = reinterpret_cast<greg_t>(point->stack);
  registers[REG_RIP] = reinterpret_cast<greg_t>(&prairie_recover_here[0]);
  registers[REG_EFL] &= ~kDirectionFlag;
}

#else

uintptr_t RunRecoverable(RecoveryPoint* point, RecoverableFunction function, void* a, const void* b,
                         size_t c) {
  // With the mask: the jump leaves the handler, in which the signal is blocked.
  if (sigsetjmp(point->context, 1) != 0) return 0;
  return function(a, b, c);
}

void Recover(RecoveryPoint* point, void*) { siglongjmp(point->context, 1); }

#endif

}  // namespace prairie
