/*
 * The interpreter of the IR: the engine of hosts without a back end, and the judge of those with one.
 * It works on a guest's state in memory and writes every PUT there at once, so the state is always precise.
 */
#ifndef TCG_INTERP_H
#define TCG_INTERP_H

#include "tcg/ir.h"

union ir_value; /* tcg/eval.h */

/* How a unit was left. */
struct interp_exit {
    enum { INTERP_GOTO, INTERP_TRAP } kind;
    uint64_t pc;        /* next guest pc (TRAP: its imm) */
    unsigned reason;    /* TRAP: sub */
    uint64_t detail;    /* TRAP: imm2 */
    enum ir_jump jump;  /* GOTO: kind of the exit */
    uint64_t return_pc; /* JUMP_CALL */
    bool tired;         /* an exit to a LABEL of the unit was taken because too many had been before */
    bool indirect;      /* the exit was a GOTO_IND */
    unsigned dead;      /* 1 + slot whose value is dead at pc: other engines may not have written it; 0: none */
};

/*
 * Guest memory as seen by the interpreter; size 1, 2, 4, 8, 16. NULL in ir_interpret(), or no load: the host's own,
 * directly.
 */
struct interp_mem {
    void *opaque;
    void (*load)(void *opaque, uint64_t addr, void *to, unsigned size);
    void (*store)(void *opaque, uint64_t addr, const void *from, unsigned size);
    /*
     * In front of each access, which may be left out by not returning; NULL: nobody looks. access: 1 loads, 2 stores.
     */
    void (*before)(void *opaque, uint64_t addr, unsigned size, unsigned access);
};

/* Where the interpreter's surroundings keep what it needs in the state; byte offsets. */
struct interp_layout {
    uint16_t mxcsr;   /* uint32: rounding mode and sticky flags, in the layout of x86's MXCSR on every host */
    uint16_t insn_pc; /* uint64: gets the pc of each INSN before its work starts (precise faults) */
    uint16_t pc;      /* uint64: the same before helper calls with HELPER_FAULTS */
};

/*
 * One access: `in` is LD, ST or an atomic on the bytes at `address`, whatever its own address says; arg: its arguments.
 */
void ir_access(const struct ir_inst *in, const union ir_value *arg, uint64_t address, const struct interp_mem *mem,
               union ir_value *out);
/* The guest's address of the access. */
uint64_t ir_access_address(const struct ir_inst *in, const union ir_value *arg);

/* Runs u from its start on the guest state until it is left. Helpers get `state` as their `e`. */
void ir_interpret(const struct ir_unit *u, void *state, const struct interp_layout *layout,
                  const struct interp_mem *mem, struct interp_exit *out);

#endif
