/* AArch64: the program's entry, and the way into a stub and out of it; see harness.h. */
#include "harness.h"

        .macro  general op
        .irp    n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26
        general_pair \op, \n, %(\n + 1)
        .endr
        \op     x28, x29, [x30, #224]
        .endm

        .macro  vectors op, base
        .irp    n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
        vector_pair \op, \n, %(\n + 1), \base
        .endr
        .endm

        .altmacro
        .macro  general_pair op, a, b
        \op     x\a, x\b, [x30, #8 * \a]
        .endm
        .macro  vector_pair op, a, b, base
        \op     q\a, q\b, [\base, #16 * \a]
        .endm

        .text
        .globl  _start, enter_stub, leave_stub, exit_next, exit_taken
_start:
        mov     x0, sp
        and     sp, x0, #-16
        b       start

enter_stub:
        sub     sp, sp, #176
        stp     x29, x30, [sp]
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        adrp    x1, saved
        add     x1, x1, #:lo12:saved
        mov     x2, sp
        stp     x0, x2, [x1]
        clrex
        mov     x30, x0
        ldp     x0, x1, [x30, #STATE_NZCV]
        msr     nzcv, x0
        msr     fpcr, x1
        ldr     x0, [x30, #STATE_NZCV + 16]
        msr     fpsr, x0
        add     x0, x30, #STATE_V
        vectors ldp, x0
        ldr     x0, [x30, #248]
        mov     sp, x0
        general ldp
        ldr     x30, [x30, #240]
        br      x30

/* TPIDR_EL0 keeps x30 while x30 finds the state. */
        .macro  leave where
        msr     tpidr_el0, x30
        adrp    x30, saved
        ldr     x30, [x30, #:lo12:saved]
        str     x0, [x30]
        mov     x0, #\where
        str     x0, [x30, #STATE_WHERE]
        ldr     x0, [x30]
        b       leave_common
        .endm

exit_next:
        leave   0
exit_taken:
        leave   1
leave_common:
        general stp
        mrs     x0, tpidr_el0
        mov     x1, sp
        stp     x0, x1, [x30, #240]
        mrs     x0, nzcv
        mrs     x1, fpcr
        mov     x2, #FPCR_MASK
        and     x1, x1, x2
        stp     x0, x1, [x30, #STATE_NZCV]
        mrs     x0, fpsr
        and     x0, x0, #FPSR_MASK
        str     x0, [x30, #STATE_NZCV + 16]
        add     x0, x30, #STATE_V
        vectors stp, x0
        mov     x0, #0
        b       leave_caller

leave_stub:
        mov     x0, #1
leave_caller:
        msr     fpcr, xzr
        adrp    x1, saved + 8
        ldr     x1, [x1, #:lo12:saved + 8]
        mov     sp, x1
        ldp     x29, x30, [sp]
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #176
        ret

        .macro  case_prefix word
        .inst   \word
        .endm
        .macro  case_last word
        .inst   \word
        b       jump_next
        b       jump_taken
        .endm

        .section .jumps, "ax"
jump_next:
        b       exit_next
jump_taken:
        b       exit_taken
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
