/*
 * A system call that a signal can't slip past (x86-64). Between the test of the pending word and the kernel's entry a
 * signal handler finds the program counter in [begin, end) and moves it to `interrupted`. The kernel itself puts
 * the program counter back onto the syscall instruction when it wants a call restarted; that is inside the range, too.
 */
#if defined(__x86_64__)
        .text
        .globl  safe_syscall_unless, safe_syscall_begin, safe_syscall_end, safe_syscall_interrupted
        .type   safe_syscall_unless, @function
        .p2align 4
safe_syscall_unless:
        .cfi_startproc
        mov     %rdi, %r11
        mov     %rsi, %rax
        mov     %rdx, %rdi
        mov     %rcx, %rsi
        mov     %r8, %rdx
        mov     %r9, %r10
        mov     8(%rsp), %r8
        mov     16(%rsp), %r9
safe_syscall_begin:
        cmpl    $0, (%r11)
        jne     safe_syscall_interrupted
        syscall
safe_syscall_end:
        ret
safe_syscall_interrupted:
        mov     $-512, %rax             /* -SYS_RESTART */
        ret
        .cfi_endproc
        .size   safe_syscall_unless, . - safe_syscall_unless

/* The frame is the kernel's: unwinders know this sequence by its bytes. */
        .globl  host_sigreturn
        .type   host_sigreturn, @function
        .p2align 4
        nop
host_sigreturn:
        mov     $15, %rax               /* rt_sigreturn */
        syscall
        .size   host_sigreturn, . - host_sigreturn
#endif
        .section .note.GNU-stack, "", %progbits
