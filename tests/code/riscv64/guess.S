/* Jumps through a word that has one target for long, then another: a PLT whose table changes. */
    .data
    .balign 8
table: .dword 0
    .text
plt:
1:  auipc t3, %pcrel_hi(table)
    ld t3, %pcrel_lo(1b)(t3)
    jalr t1, t3
    nop
one:
    addi s2, s2, 1
    ret
two:
    addi s3, s3, 1
    ret
    .globl _start
_start:
    li s1, 0
    li s2, 0
    li s3, 0
    la s4, table
again:
    la t0, one
    li t2, 10000
    bltu s1, t2, 1f
    la t0, two
    li t2, 20000
    bltu s1, t2, 1f
    la t0, one
1:  sd t0, 0(s4)
    call plt
    addi s1, s1, 1
    li t2, 30000
    bne s1, t2, again
    li t0, 20000
    xor a0, s2, t0
    li t0, 10000
    xor a1, s3, t0
    or a0, a0, a1
    snez a0, a0
    li a7, 94
    ecall
