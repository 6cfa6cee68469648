/*
 * Flags that are both tested as a value and kept (B.VS, then a flag-setting instruction behind it) while five values wait
 * for later: the scratch registers of the computation must not be theirs.
 */
#include "code.h"

START
    ADDRESS x19, cells
    mov x27, 1
    mov x28, 100
    ADDRESS x21, words
    mov x25, 0
    mov x24, 0x700000000
    ADDRESS x22, table
    sub x22, x22, 0xf98
    b loop
loop:
    add x27, x19, x27, lsl 3
    ldp x0, x1, [x27]
    ldr x2, [x27, 0x10]
    add x28, x21, x28, lsl 2
    sub x28, x28, 0x20, lsl 12
    cmp x25, x0, lsr 32
    b.ne fail
    adds w0, w0, w2
    b.vs 1f
    add x8, x0, x24
    tbnz w2, 31, fail
    cmp w0, w1
    csel x21, x28, x21, gt
    str x8, [x27]
    str x8, [x27, 0x18]
1:  ldr w16, [x21], 4
    add x9, x22, w16, uxtb 3
    ubfx x27, x16, 8, 8
    ldr x8, [x9, 0xf98]
    ubfx x28, x16, 16, 16
    br x8
next:
    WANT x27, 0x12
    WANT x28, 0x3456
    ADDRESS x3, cells
    ldr x4, [x3, 8]
    mov x5, 0x700000000
    add x5, x5, 30
    cmp x4, x5
    b.ne fail
    ldr x4, [x3, 0x20]
    cmp x4, x5
    b.ne fail
    PASS

    .data
    .balign 8
cells: .quad 0, 10, 40, 20, 0
words: .word 0x34561201
table: .quad fail, next
