# The start of a test without any system: each hart its stack; hart 0 calls main(), the others wait in secondary().
    .option norvc
    .section .text.unlikely, "ax" # the linker puts it first: a loader may start programs at their first address
    .globl _start
_start:
    csrr t0, mhartid
    la sp, stacks
    addi t1, t0, 1
    slli t1, t1, 14
    add sp, sp, t1
    la t1, trap_entry
    csrw mtvec, t1
    bnez t0, 1f
    call main
    call finish
1:  csrr a0, mhartid
    call secondary
    j 1b

# Saves what a C function may change, calls trap(frame) and goes back by MRET, or by SRET if that took it in supervisor mode.

    .align 4
    .globl trap_entry
trap_entry:
    csrrw t0, mscratch, t0
    la t0, trap_stack_top
    sd sp, -8(t0)
    addi sp, t0, -272
    csrrw t0, mscratch, t0
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd x\n, 8*\n(sp)
    .endr
    mv a0, sp
    call trap
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, 8*\n(sp)
    .endr
    ld sp, 264(sp)
    mret

# Supervisor's: skips an instruction, in registers only; interrupts are off behind it.
    .align 4
    .globl strap_entry
strap_entry:
    csrw sscratch, t0
    csrr t0, scause
    sd t0, last_scause, t1
    csrr t0, stval
    sd t0, last_stval, t1
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    li t0, 0x20
    csrc sstatus, t0
    csrr t0, sscratch
    sret

# run_in(mode, fn): see lib.h.
    .globl run_in, back_from_below
run_in:
    addi sp, sp, -112
    sd ra, 104(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, 8*\n(sp)
    .endr
    sd sp, below_sp, t0
    csrw mepc, a1
    li t0, 3 << 11
    csrc mstatus, t0
    slli a0, a0, 11
    csrs mstatus, a0
    mret
    .align 2
back_from_below:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, 8*\n(sp)
    .endr
    ld ra, 104(sp)
    addi sp, sp, 112
    ret

    .bss
    .align 12
stacks:
    .space 8 << 14
    .space 4096
trap_stack_top:
    .globl last_scause, last_stval
last_scause: .space 8
last_stval: .space 8
    .globl below_sp
below_sp: .space 8
