#include "runtime/os/recovery.h"

#include <string.h>
#include <ucontext.h>

namespace prairie {

#if defined(__x86_64__)

static_assert(offsetof(RecoveryPoint, stack) == 0 && offsetof(RecoveryPoint, resume) == 8);

// The registers that a function must preserve lie on the stack below the return address; `stack`
// remembers where. To recover is to set the stack pointer there and to go on at the label.
// The copy does with overlapping moves: first and last part of each size.
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
  leaq 1f(%rip), %rax
  movq %rax, 8(%rdi)
  movq %rsi, %rax
  movq %rdx, %rdi
  movq %rcx, %rsi
  movq %r8, %rdx
  call *%rax
1:
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

.globl prairie_copy_recoverable
.hidden prairie_copy_recoverable
.type prairie_copy_recoverable, @function
.align 16
prairie_copy_recoverable:
  .cfi_startproc
  endbr64
  leaq 9f(%rip), %rax
  movq %rsp, (%rdi)
  movq %rax, 8(%rdi)
  cmpq $16, %rcx
  jb 2f
  cmpq $32, %rcx
  ja 1f
  movups (%rdx), %xmm0
  movups -16(%rdx,%rcx), %xmm1
  movups %xmm0, (%rsi)
  movups %xmm1, -16(%rsi,%rcx)
  jmp 8f
1:
  movups (%rdx), %xmm0
  movups 16(%rdx), %xmm1
  movups -32(%rdx,%rcx), %xmm2
  movups -16(%rdx,%rcx), %xmm3
  movups %xmm0, (%rsi)
  movups %xmm1, 16(%rsi)
  movups %xmm2, -32(%rsi,%rcx)
  movups %xmm3, -16(%rsi,%rcx)
  jmp 8f
2:
  cmpq $8, %rcx
  jb 3f
  movq (%rdx), %rax
  movq -8(%rdx,%rcx), %r8
  movq %rax, (%rsi)
  movq %r8, -8(%rsi,%rcx)
  jmp 8f
3:
  cmpq $4, %rcx
  jb 4f
  movl (%rdx), %eax
  movl -4(%rdx,%rcx), %r8d
  movl %eax, (%rsi)
  movl %r8d, -4(%rsi,%rcx)
  jmp 8f
4:
  xorl %r8d, %r8d
5:
  movzbl (%rdx,%r8), %eax
  movb %al, (%rsi,%r8)
  incq %r8
  cmpq %rcx, %r8
  jb 5b
8:
  movzbl -1(%rdx,%rcx), %eax
9:
  ret
  .cfi_endproc
.size prairie_copy_recoverable, . - prairie_copy_recoverable
)");

void Recover(RecoveryPoint* point, void* context) {
  constexpr greg_t kDirectionFlag = 1 << 10;  // Functions expect it clear.
  gregset_t& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  registers[REG_RSP] = reinterpret_cast<greg_t>(point->stack);
  registers[REG_RIP] = reinterpret_cast<greg_t>(point->resume);
  registers[REG_EFL] &= ~kDirectionFlag;
}

#else

uintptr_t RunRecoverable(RecoveryPoint* point, RecoverableFunction function, void* a, const void* b,
                         size_t c) {
  // With the mask: the jump leaves the handler, in which the signal is blocked.
  if (sigsetjmp(point->context, 1) != 0) return 0;
  return function(a, b, c);
}

uintptr_t CopyRecoverable(RecoveryPoint* point, void* to, const void* from, size_t size) {
  return RunRecoverable(
      point,
      [](void* a, const void* b, size_t c) {
        memcpy(a, b, c);
        return uintptr_t{static_cast<const volatile unsigned char*>(b)[c - 1]};
      },
      to, from, size);
}

void Recover(RecoveryPoint* point, void*) { siglongjmp(point->context, 1); }

#endif

}  // namespace prairie
