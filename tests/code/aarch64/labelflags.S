/* In a loop, flags that a branch's target reads again: the values they came from are not there any more. */
#include "code.h"

START
    mov x20, 0
    mov x21, 0
    mov x24, 0
    mov x25, 0
    ldr x22, =400000
loop:
    and x19, x20, 3
    sub x19, x19, 1
    cmp x19, 0
    b.le 2f
    add x24, x24, 1
    bl call
    b 3f
2:  b.eq 4f
    add x25, x25, 1
    b 3f
4:  add x21, x21, 1
3:  add x20, x20, 1
    cmp x20, x22
    b.ne loop
    cmp x21, x25
    b.ne fail
    add x21, x21, x25
    cmp x21, x24
    b.ne fail
    PASS
call:
    ret
    .ltorg
