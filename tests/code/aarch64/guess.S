/* Jumps through a word that has one target for long, then others: a PLT whose table changes. */
#include "code.h"

    .data
    .balign 8
table: .quad 0
    .text
plt:
    adrp x16, table
    ldr x17, [x16, :lo12:table]
    add x16, x16, :lo12:table
    br x17
one:
    add x20, x20, 1
    ret
two:
    add x21, x21, 1
    ret
back:
    add x22, x22, 1
    br x30

START
    mov x20, 0
    mov x21, 0
    mov x22, 0
    ADDRESS x23, table
    ADDRESS x24, one
    ADDRESS x25, two
    ADDRESS x26, back
    mov x19, 0
again:
    mov x9, 10000
    mov x10, x24
    cmp x19, x9
    csel x10, x25, x10, hs         /* from the 10,000th on `two`, */
    mov x9, 10007
    cmp x19, x9
    csel x10, x26, x10, hs
    mov x9, 20000
    cmp x19, x9
    csel x10, x24, x10, hs         /* and in the end `one` again */
    str x10, [x23]
    bl plt
    add x19, x19, 1
    mov x9, 30000
    cmp x19, x9
    b.ne again
    WANT x20, 20000
    WANT x21, 7
    WANT x22, 9993
    PASS
