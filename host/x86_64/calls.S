/* System V ABI for x86-64; the kernel takes arguments in rdi, rsi, rdx, r10, r8, r9 and destroys rcx and r11. See host/calls.h. */
        .text
        .globl  safe_syscall_unless, safe_syscall_begin, safe_syscall_restarted, safe_syscall_not_begun
        .globl  safe_syscall_interrupted
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
        jne     safe_syscall_not_begun
        .byte   0x48                    /* a prefix without meaning: a restart begins behind it */
safe_syscall_restarted:
        syscall
        ret
safe_syscall_not_begun:
        mov     $-513, %rax             /* -SYS_RESTART_ALWAYS */
        ret
safe_syscall_interrupted:
        mov     $-512, %rax             /* -SYS_RESTART */
        ret
        .cfi_endproc
        .size   safe_syscall_unless, . - safe_syscall_unless

/* sa_restorer. The frame is the kernel's: unwinders know this sequence by its bytes. */
        .globl  host_sigreturn
        .hidden host_sigreturn
        .type   host_sigreturn, @function
        .p2align 4
        nop
host_sigreturn:
        mov     $15, %rax               /* rt_sigreturn */
        syscall
        .size   host_sigreturn, . - host_sigreturn

        .globl  host_clone3
        .type   host_clone3, @function
        .p2align 4
host_clone3:
        .cfi_startproc
        mov     %rdx, %r8
        mov     %rcx, %r9
        mov     $435, %eax              /* clone3 */
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:      .cfi_undefined rip
        xor     %ebp, %ebp
        mov     %r9, %rdi
        call    *%r8
        mov     %eax, %edi
        mov     $60, %eax               /* exit */
        syscall
        ud2
        .cfi_endproc
        .size   host_clone3, . - host_clone3

        .globl  uaccess_copy, uaccess_copy_end, uaccess_copy_fault
        .type   uaccess_copy, @function
        .p2align 4
uaccess_copy:
        mov     %rdx, %rcx
        rep movsb
        xor     %eax, %eax
uaccess_copy_end:
        ret
uaccess_copy_fault:
        mov     $1, %eax
        ret
        .size   uaccess_copy, . - uaccess_copy

        .section .note.GNU-stack, "", %progbits
