/* RISC-V: the program's entry, and the way into a stub and out of it; see harness.h. */
#include "harness.h"

        .option norelax

        .macro  integers op
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        \op     x\n, 8 * \n(x31)
        .endr
        .endm

        .macro  floats op
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        \op     f\n, STATE_F + 8 * \n(x31)
        .endr
        .endm

        /* What a called function must preserve, and gp and tp. */
        .macro  callee op
        \op     ra, 0(sp)
        \op     gp, 8(sp)
        \op     tp, 16(sp)
        \op     s0, 24(sp)
        \op     s1, 32(sp)
        \op     s2, 40(sp)
        \op     s3, 48(sp)
        \op     s4, 56(sp)
        \op     s5, 64(sp)
        \op     s6, 72(sp)
        \op     s7, 80(sp)
        \op     s8, 88(sp)
        \op     s9, 96(sp)
        \op     s10, 104(sp)
        \op     s11, 112(sp)
        .endm

        .text
        .globl  _start, enter_stub, leave_stub, exit_next, exit_taken
_start:
        mv      a0, sp
        andi    sp, sp, -16
        tail    start

enter_stub:
        addi    sp, sp, -128
        callee  sd
        la      t0, saved
        sd      a0, 0(t0)
        sd      sp, 8(t0)
        mv      x31, a0
        sc.d    x0, x0, (a0)            /* drops a reservation */
        ld      t0, STATE_FCSR(x31)
        fscsr   t0
        floats  fld
        integers ld
        ld      x31, 8 * 31(x31)
        jr      x31

/* x31 holds the address of the stub unless the instruction under test broke the rules. */
exit_next:
        la      x31, saved
        ld      x31, 0(x31)
        sd      zero, STATE_WHERE(x31)
        j       leave_common
exit_taken:
        la      x31, saved
        ld      x31, 0(x31)
        sd      x30, 8 * 30(x31)
        li      x30, 1
        sd      x30, STATE_WHERE(x31)
        ld      x30, 8 * 30(x31)
leave_common:
        integers sd
        floats  fsd
        frcsr   t0
        sd      t0, STATE_FCSR(x31)
        li      a0, 0
        j       leave_caller

leave_stub:
        li      a0, 1
leave_caller:
        fscsr   zero
        la      t0, saved
        ld      sp, 8(t0)
        callee  ld
        addi    sp, sp, 128
        ret

        /* Every instruction takes 4 bytes with the no-operation behind a compressed one. */
        .macro  case_prefix word
        .if     (\word & 3) == 3
        .4byte  \word
        .else
        .2byte  \word, 1
        .endif
        .endm
        .macro  case_last word
        .option push
        .option norvc
        .if     (\word & 3) == 3
        .4byte  \word
        j       jump_next
        .else
        .2byte  \word
        j       jump_next
        .2byte  1
        .endif
        j       jump_taken
        .option pop
        .endm

        .section .jumps, "ax"
jump_next:
        jump    exit_next, x31
        .balign 8
jump_taken:
        jump    exit_taken, x31
        .section .stubs, "ax"
        .globl  stubs
        .balign 16
stubs:
#include "cases.inc"
        .section .scratch, "aw", %nobits
        .globl  scratch
scratch:
        .space  4096
        .bss
        .balign 16
saved:  .space  16
        .section .note.GNU-stack, "", %progbits
