/*
 * Executes single instructions of the guest and tells what they did: shared by the harness in C, the entry and exit in
 * assembly and the list of cases that insn.py writes.
 *
 * Every case has a stub at a fixed address: STUB_PREFIX instructions (nops but for few cases), the instruction, a jump
 * to exit_next and a jump to exit_taken. The stub is entered through the last integer register, which therefore holds
 * the stub's address; everything else is loaded from struct state.
 */
#ifndef TESTS_INSN_HARNESS_H
#define TESTS_INSN_HARNESS_H

#include "state.h" /* tests/insn/<arch> */

#define STUB_SIZE (4 * (STUB_PREFIX + 3))
#define STUB_TAKEN (STUB_SIZE - 4) /* offset of the jump to exit_taken */

#ifndef __ASSEMBLER__
#include <stdint.h>

enum case_kind {
    CASE_PLAIN,
    CASE_MEMORY, /* register `base` points to the middle of the scratch memory; `index`: a small offset, or NONE */
    CASE_JUMP,   /* register `base` holds the address of the stub's last instruction, less `adjust` */
    CASE_FAULT,  /* register `base` points to memory that is not there */
    CASE_LOOP,   /* register `index` counts down the rounds of a loop; `base`: as in CASE_MEMORY, or NONE */
};

enum case_flags {
    FLAG_ALIGNED = 1,  /* the address is a multiple of 64 */
    FLAG_SIGNED = 2,   /* the index may be negative */
    FLAG_COMPARE = 4,  /* register `index` is compared with memory: equal in every second set */
    FLAG_WORDS = 8,    /* FLAG_COMPARE of two registers that hold words: `index` + 1 is the second */
};

enum { NO_REGISTER = 255 };

struct insn_case {
    uint32_t word;
    uint8_t kind, base, index, flags;
    int32_t adjust;
};

extern const struct insn_case cases[];
extern const uint32_t ncases;
extern char stubs[];

/*
 * How a case ended: state.where. After a signal it is WHERE_SIGNAL plus the signal's number, with the signal's code and
 * the distance of pc from the stub's start in higher bytes; the registers are those the signal handler was told.
 */
enum { WHERE_NEXT, WHERE_TAKEN, WHERE_SIGNAL = 16, WHERE_CODE_SHIFT = 8, WHERE_PC_SHIFT = 32 };

/* Loads the state, enters the stub, and stores the state again; returns 0, or 1 when leave_stub() cut it short. */
long enter_stub(struct state *s);
void leave_stub(void) __attribute__((noreturn));

/* The architecture's part: <arch>/arch.c */
struct random {
    uint64_t x;
};
uint64_t rng(struct random *r);
/* A value with a bias to the interesting: integers; floating-point numbers, one or more filling 64 bits. */
uint64_t rng_integer(struct random *r);
uint64_t rng_floats(struct random *r, unsigned bits);
void arch_random_state(struct state *s, struct random *r, unsigned set);
/* Registers from the third argument of a signal handler; returns pc. */
uint64_t arch_signal_state(struct state *s, const void *ucontext);
void arch_print(const struct state *before, const struct state *after);

long sys(long number, long a, long b, long c, long d);
void print_hex(const char *name, uint64_t v);
void print_text(const char *text);
#endif

#endif
