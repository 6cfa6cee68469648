/* Flags that are read right in front of the unit that sets them: a target a few bytes back. */
#include "code.h"

START
    mov x19, 50
    mov x20, 1
    mov x21, 0
    b 2f
1:  add x21, x21, 1
    b.eq 3f
2:  mov x22, x20
    subs x19, x19, 1
    cbnz x22, 1b
3:  cmp x19, 0
    b.ne fail
    cmp x21, 50
    b.ne fail
    PASS
