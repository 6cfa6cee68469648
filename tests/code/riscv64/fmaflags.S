/*
 * 0 * infinity + NaN is invalid even when the addend is quiet (RISC-V F, 11.6); the result of each goes on into arithmetic, so
 * that nobody looks at its bits before the flags are read.
 */
    .globl _start
_start:
    li t0, 0x7f800000
    fmv.w.x fa0, t0
    fmv.w.x fa1, zero
    li t0, 0x7fc00045
    fmv.w.x fa2, t0
    fsflags zero
    fnmadd.s fa3, fa1, fa0, fa2
    fadd.s fa3, fa3, fa1
    frflags a1
    fcvt.d.s fa0, fa0
    fcvt.d.s fa1, fa1
    fcvt.d.s fa2, fa2
    fsflags zero
    fmadd.d fa3, fa0, fa1, fa2
    frflags a2
    fsflags zero
    fmadd.d fa3, fa1, fa1, fa2
    frflags a3
    li t0, 0x10             /* NV */
    xor a1, a1, t0
    xor a2, a2, t0
    or a0, a1, a2
    or a0, a0, a3
    snez a0, a0
    li a7, 93               /* exit */
    ecall
