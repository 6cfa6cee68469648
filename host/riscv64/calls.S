/* RISC-V psABI; the kernel takes the call in a7 and arguments in a0 to a5, and changes a0 alone. See host/calls.h. */
        .text
        .globl  safe_syscall_unless, safe_syscall_begin, safe_syscall_restarted, safe_syscall_not_begun
        .globl  safe_syscall_interrupted
        .type   safe_syscall_unless, @function
        .p2align 2
safe_syscall_unless:
        .cfi_startproc
        mv      t0, a0
        mv      t1, a1
        mv      a0, a2
        mv      a1, a3
        mv      a2, a4
        mv      a3, a5
        mv      a4, a6
        mv      a5, a7
        mv      a7, t1
safe_syscall_begin:
        lw      t1, 0(t0)
        bnez    t1, safe_syscall_not_begun
safe_syscall_restarted:
        ecall
        ret
safe_syscall_not_begun:
        li      a0, -513                /* -SYS_RESTART_ALWAYS */
        ret
safe_syscall_interrupted:
        li      a0, -512                /* -SYS_RESTART */
        ret
        .cfi_endproc
        .size   safe_syscall_unless, . - safe_syscall_unless

        .globl  host_clone3
        .type   host_clone3, @function
        .p2align 2
host_clone3:
        .cfi_startproc
        li      a7, 435                 /* clone3 */
        ecall
        beqz    a0, 1f
        ret
1:      .cfi_undefined ra
        li      s0, 0
        mv      a0, a3
        jalr    a2
        li      a7, 93                  /* exit */
        ecall
        ebreak
        .cfi_endproc
        .size   host_clone3, . - host_clone3

/* By words where both sides are aligned, else by bytes. */
        .globl  uaccess_copy, uaccess_copy_end, uaccess_copy_fault
        .type   uaccess_copy, @function
        .p2align 2
uaccess_copy:
        or      t0, a0, a1
        andi    t0, t0, 7
        li      t1, 8
        bnez    t0, 2f
1:      bltu    a2, t1, 2f
        ld      t0, 0(a1)
        sd      t0, 0(a0)
        addi    a0, a0, 8
        addi    a1, a1, 8
        addi    a2, a2, -8
        j       1b
2:      beqz    a2, 4f
3:      lbu     t0, 0(a1)
        sb      t0, 0(a0)
        addi    a0, a0, 1
        addi    a1, a1, 1
        addi    a2, a2, -1
        bnez    a2, 3b
4:      li      a0, 0
uaccess_copy_end:
        ret
uaccess_copy_fault:
        li      a0, 1
        ret
        .size   uaccess_copy, . - uaccess_copy

        .section .note.GNU-stack, "", %progbits
