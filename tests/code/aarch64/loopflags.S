/* Flags made by a loop's last comparison are read behind it by two branches, of which the first leads to where they are dead. */
#include "code.h"

START
    mov x0, 0
    cmp x0, 1
loop:
    add x0, x0, 1
    cmp x0, 5
    b.lt loop
    b.gt 1f
    b.ne fail
    PASS
1:  cmp x0, x0
    b fail
