/* AAPCS64; the kernel takes the call in x8 and arguments in x0 to x5, and changes x0 alone. See host/calls.h. */
        .text
        .globl  safe_syscall_unless, safe_syscall_begin, safe_syscall_restarted, safe_syscall_not_begun
        .globl  safe_syscall_interrupted
        .type   safe_syscall_unless, %function
        .p2align 4
safe_syscall_unless:
        .cfi_startproc
        mov     x9, x0
        mov     x8, x1
        mov     x0, x2
        mov     x1, x3
        mov     x2, x4
        mov     x3, x5
        mov     x4, x6
        mov     x5, x7
safe_syscall_begin:
        ldr     w10, [x9]
        cbnz    w10, safe_syscall_not_begun
safe_syscall_restarted:
        svc     #0
        ret
safe_syscall_not_begun:
        mov     x0, #-513               /* -SYS_RESTART_ALWAYS */
        ret
safe_syscall_interrupted:
        mov     x0, #-512               /* -SYS_RESTART */
        ret
        .cfi_endproc
        .size   safe_syscall_unless, . - safe_syscall_unless

        .globl  host_clone3
        .type   host_clone3, %function
        .p2align 4
host_clone3:
        .cfi_startproc
        mov     x8, #435                /* clone3 */
        svc     #0
        cbz     x0, 1f
        ret
1:      .cfi_undefined x30
        mov     x29, xzr
        mov     x30, xzr
        mov     x0, x3
        blr     x2
        mov     x8, #93                 /* exit */
        svc     #0
        brk     #0
        .cfi_endproc
        .size   host_clone3, . - host_clone3

/* By words where both sides are aligned, else by bytes. */
        .globl  uaccess_copy, uaccess_copy_end, uaccess_copy_fault
        .type   uaccess_copy, %function
        .p2align 4
uaccess_copy:
        orr     x3, x0, x1
        tst     x3, #7
        b.ne    2f
1:      subs    x2, x2, #8
        b.lo    3f
        ldr     x3, [x1], #8
        str     x3, [x0], #8
        b       1b
3:      add     x2, x2, #8
2:      cbz     x2, 5f
4:      ldrb    w3, [x1], #1
        strb    w3, [x0], #1
        subs    x2, x2, #1
        b.ne    4b
5:      mov     w0, #0
uaccess_copy_end:
        ret
uaccess_copy_fault:
        mov     w0, #1
        ret
        .size   uaccess_copy, . - uaccess_copy

        .section .note.GNU-stack, "", %progbits
