/* Flags that only one way behind branches reads, and calls from which a hot function's unit goes on with them. */
#include "code.h"

START
    mov x19, 10000
    mov x12, 0
again:
    and x9, x19, 1
    and x10, x19, 2
    mov x11, 5
    cmp x11, 5              /* Z, C */
    cbz x9, even
    bl keeps
    b.ne fail
    bl sets                 /* V */
    b.vc fail
    b next
even:
    bti c
    mrs x13, tpidr_el0
    cbnz x10, reads
    adds x11, x11, 1        /* the flags are dead here, */
    b.eq fail
    b next
reads:                      /* and alive here */
    b.ne fail
    b.cc fail
    add x12, x12, 1
next:
    subs x19, x19, 1
    b.ne again
    WANT x12, 2500
    PASS
keeps:
    bti c
    cbz x10, 1f
    ret
1:  mov x13, 1
    ret
sets:
    mov x13, 0x7fffffffffffffff
    adds x13, x13, 1
    cbz x10, 1f
    mov x13, 2
1:  ret
