#include "runtime/os/recovery.h"

#include <ucontext.h>

namespace prairie {

#if defined(__x86_64__)

static_assert(offsetof(RecoveryPoint, stack) == 0 && offsetof(RecoveryPoint, resume) == 8);

// The registers that a function must preserve lie on the stack below the return address; `stack`
// remembers where. To recover is to set the stack pointer there and to go on at the label.
// The small copy does with overlapping moves, first and last part of each size, and saves nothing.
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

.globl prairie_copy_small
.hidden prairie_copy_small
.type prairie_copy_small, @function
.align 32
prairie_copy_small:
  .cfi_startproc
  endbr64
  cmpq $16, %rdx
  jb 2f
  cmpq $32, %rdx
  ja 1f
  movups (%rsi), %xmm0
  movups -16(%rsi,%rdx), %xmm1
  movups %xmm0, (%rdi)
  movups %xmm1, -16(%rdi,%rdx)
  jmp 8f
1:
  movups (%rsi), %xmm0
  movups 16(%rsi), %xmm1
  movups -32(%rsi,%rdx), %xmm2
  movups -16(%rsi,%rdx), %xmm3
  movups %xmm0, (%rdi)
  movups %xmm1, 16(%rdi)
  movups %xmm2, -32(%rdi,%rdx)
  movups %xmm3, -16(%rdi,%rdx)
  jmp 8f
2:
  cmpq $8, %rdx
  jb 3f
  movq (%rsi), %rax
  movq -8(%rsi,%rdx), %rcx
  movq %rax, (%rdi)
  movq %rcx, -8(%rdi,%rdx)
  jmp 8f
3:
  cmpq $4, %rdx
  jb 4f
  movl (%rsi), %eax
  movl -4(%rsi,%rdx), %ecx
  movl %eax, (%rdi)
  movl %ecx, -4(%rdi,%rdx)
  jmp 8f
4:
  xorl %ecx, %ecx
5:
  movzbl (%rsi,%rcx), %eax
  movb %al, (%rdi,%rcx)
  incq %rcx
  cmpq %rdx, %rcx
  jb 5b
8:
  movzbl -1(%rsi,%rdx), %eax
  xorl %edx, %edx
.globl prairie_copy_small_return
.hidden prairie_copy_small_return
prairie_copy_small_return:
  ret
  .cfi_endproc
.size prairie_copy_small, . - prairie_copy_small
)");

extern "C" const char prairie_copy_small_return[] __attribute__((visibility("hidden")));

// Up to the last read the registers still hold the arguments: source in rsi, size in rdx.
bool CutCopyShort(void* context, uintptr_t first, uintptr_t last, uintptr_t code) {
  gregset_t& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(&prairie_copy_small);
  const uintptr_t end = reinterpret_cast<uintptr_t>(prairie_copy_small_return);
  if (static_cast<uintptr_t>(registers[REG_RIP]) - begin >= end - begin) return false;
  const uintptr_t from = static_cast<uintptr_t>(registers[REG_RSI]);
  const uintptr_t size = static_cast<uintptr_t>(registers[REG_RDX]);
  if (last < from || first >= from + size) return false;
  registers[REG_RAX] = static_cast<greg_t>(first);
  registers[REG_RDX] = static_cast<greg_t>(code);
  registers[REG_RIP] = static_cast<greg_t>(end);
  return true;
}

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

void Recover(RecoveryPoint* point, void*) { siglongjmp(point->context, 1); }

#endif

}  // namespace prairie
