/*
 * The interpreter of the IR. Guest registers are read and written in the state directly, so the state is precise at
 * every instruction that may fault; INSN leaves its pc in the state for the fault handler.
 *
 * Floating point goes through base/softfloat. The canonical form of the guest's dynamic modes on every host is x86's
 * MXCSR (Intel SDM vol. 1, 10.2.3) at layout->mxcsr: rounding control in bits 13-14, sticky flags in bits 0-5 (the
 * denormal flag, bit 1, is never raised), DAZ in bit 6, FTZ in bit 15.
 */
#include "tcg/interp.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/softfloat.h"
#include "tcg/atomic.h"
#include "tcg/call.h"
#include "tcg/eval.h"

/* --- guest registers --- */

static inline void slot_get(const void *state, const struct ir_slot *s, union ir_value *v)
{
    const char *p = (const char *)state + s->offset;
    uint32_t narrow;
    v->q[1] = 0;
    switch (s->type) {
    case IR_I32:
    case IR_F32:
        memcpy(&narrow, p, 4);
        v->q[0] = narrow;
        break;
    case IR_V128: memcpy(v, p, 16); break;
    default: memcpy(v, p, 8); break;
    }
}

static inline void slot_put(void *state, const struct ir_slot *s, const union ir_value *v)
{
    char *p = (char *)state + s->offset;
    switch (s->type) {
    case IR_I32:
    case IR_F32: memcpy(p, v, 4); break;
    case IR_V128: memcpy(p, v, 16); break;
    default: memcpy(p, v, 8); break;
    }
}

/* --- memory --- */

/* A naturally aligned access of at most 8 bytes is single; 16 bytes fault as one, at their first byte. */
typedef uint16_t any16 __attribute__((aligned(1), may_alias));
typedef uint32_t any32 __attribute__((aligned(1), may_alias));
typedef uint64_t any64 __attribute__((aligned(1), may_alias));
typedef uint64_t any128 __attribute__((vector_size(16), aligned(1), may_alias));

static inline void direct_load(uint64_t addr, union ir_value *v, unsigned log2size)
{
    uintptr_t p = addr;
    any128 both;
    v->q[1] = 0;
    switch (log2size) {
    case 0: v->q[0] = *(const volatile uint8_t *)p; break;
    case 1: v->q[0] = *(const volatile any16 *)p; break;
    case 2: v->q[0] = *(const volatile any32 *)p; break;
    case 4:
        both = *(const volatile any128 *)p;
        v->q[0] = both[0];
        v->q[1] = both[1];
        break;
    default: v->q[0] = *(const volatile any64 *)p; break;
    }
}

static inline void direct_store(uint64_t addr, const union ir_value *v, unsigned log2size)
{
    uintptr_t p = addr;
    switch (log2size) {
    case 0: *(volatile uint8_t *)p = v->q[0]; break;
    case 1: *(volatile any16 *)p = v->q[0]; break;
    case 2: *(volatile any32 *)p = v->q[0]; break;
    case 4: *(volatile any128 *)p = (any128){v->q[0], v->q[1]}; break;
    default: *(volatile any64 *)p = v->q[0]; break;
    }
}

/* The low 1 << log2size bytes in the other order. */
static void swap_bytes(union ir_value *v, unsigned log2size)
{
    uint64_t low = __builtin_bswap64(v->q[0]);
    if (log2size == 4) {
        v->q[0] = __builtin_bswap64(v->q[1]);
        v->q[1] = low;
    } else {
        v->q[0] = low >> (64 - (8 << log2size));
    }
}

/* From the bytes in memory to a value of the type, as `mem` says. */
static inline void extend(union ir_value *v, unsigned mem, enum ir_type type)
{
    unsigned size = mem & MEM_SIZE;
    if (mem & MEM_BE)
        swap_bytes(v, size);
    if ((mem & MEM_SIGN) && size < 3) {
        uint64_t wide = sextract64(v->q[0], 0, 8 << size);
        v->q[0] = type == IR_I64 ? wide : (uint32_t)wide;
    }
}

static inline uint64_t address(const struct ir_inst *in, const union ir_value *value)
{
    return value[in->arg[0]].q[0] + (value[in->arg[1]].q[0] << in->ir_scale) + in->imm;
}

/* What is off any smaller alignment is off 16, too. */
static inline void check_alignment(const struct ir_inst *in, uint64_t addr)
{
    unsigned size = in->mem & MEM_SIZE;
    if (UNLIKELY(in->mem & MEM_ALIGN && addr & ((1u << size) - 1)))
        atomic_check16((void *)(uintptr_t)addr);
}

static inline void load(const struct ir_inst *in, const union ir_value *value, const struct interp_mem *mem,
                        union ir_value *out)
{
    unsigned size = in->mem & MEM_SIZE;
    uint64_t addr = address(in, value);
    check_alignment(in, addr);
    if (mem) {
        out->q[0] = out->q[1] = 0;
        mem->load(mem->opaque, addr, out, 1 << size);
    } else {
        atomic_signal_fence(memory_order_seq_cst); /* PUTs before it are in the state if it faults */
        direct_load(addr, out, size);
        if (in->mem & MEM_ACQ)
            atomic_thread_fence(memory_order_acquire);
    }
    extend(out, in->mem, in->type);
}

static inline void store(const struct ir_inst *in, const union ir_value *value, const struct interp_mem *mem)
{
    unsigned size = in->mem & MEM_SIZE;
    uint64_t addr = address(in, value);
    union ir_value v = value[in->arg[2]];
    if (in->mem & MEM_BE)
        swap_bytes(&v, size);
    check_alignment(in, addr);
    if (mem) {
        mem->store(mem->opaque, addr, &v, 1 << size);
    } else {
        atomic_signal_fence(memory_order_seq_cst);
        if (in->mem & MEM_REL)
            atomic_thread_fence(memory_order_release);
        direct_store(addr, &v, size);
    }
}

/*
 * What an atomic writes: `old` is the memory's value as `mem` says, the operands are values of in->type. Sets *write
 * to false where nothing is to be written (a CAS that does not match).
 */
static union ir_value atomic_new(const struct ir_inst *in, const union ir_value *value, union ir_value old, bool *write)
{
    unsigned bits = 8 << (in->mem & MEM_SIZE);
    union ir_value b = value[in->arg[1]];
    if (bits == 128) {
        if (in->op == IR_CAS) {
            *write = old.q[0] == b.q[0] && old.q[1] == b.q[1];
            return value[in->arg[2]];
        }
        return b; /* AXCHG */
    }
    uint64_t x = extract64(old.q[0], 0, bits), y = extract64(b.q[0], 0, bits);
    int64_t sx = sextract64(x, 0, bits), sy = sextract64(y, 0, bits);
    uint64_t r;
    switch (in->op) {
    case IR_CAS:
        *write = x == y;
        r = value[in->arg[2]].q[0];
        break;
    case IR_AADD: r = x + y; break;
    case IR_AAND: r = x & y; break;
    case IR_AXOR: r = x ^ y; break;
    case IR_AOR: r = x | y; break;
    case IR_ASMIN: r = sx < sy ? x : y; break;
    case IR_ASMAX: r = sx > sy ? x : y; break;
    case IR_AUMIN: r = x < y ? x : y; break;
    case IR_AUMAX: r = x > y ? x : y; break;
    default: r = y; break; /* AXCHG */
    }
    return (union ir_value){.q = {extract64(r, 0, bits)}};
}

/*
 * Every atomic is a loop around the host's compare-and-swap. With functions for memory (a judge's private copy) it
 * is a plain load and store.
 */
static void atomic_op(const struct ir_inst *in, const union ir_value *value, const struct interp_mem *mem,
                      union ir_value *out)
{
    unsigned size = in->mem & MEM_SIZE;
    uint64_t addr = value[in->arg[0]].q[0];
    union ir_value raw = {0}, old, new;
    bool write;

    atomic_signal_fence(memory_order_seq_cst);
    check_alignment(in, addr);
    if (size == 4)
        atomic_check16((void *)(uintptr_t)addr);
    if (mem)
        mem->load(mem->opaque, addr, &raw, 1 << size);
    else
        direct_load(addr, &raw, size);
    do {
        old = raw;
        write = true;
        extend(&old, in->mem, in->type);
        new = atomic_new(in, value, old, &write);
        if (in->mem & MEM_BE)
            swap_bytes(&new, size);
        if (mem) {
            if (write)
                mem->store(mem->opaque, addr, &new, 1 << size);
            break;
        }
        if (!write)
            new = raw; /* a CAS writes what is there: it orders memory and tests that the page is writable */
    } while (!atomic_cas_bytes((void *)(uintptr_t)addr, size, raw.q, new.q));
    *out = old;
}

uint64_t ir_access_address(const struct ir_inst *in, const union ir_value *arg)
{
    bool indexed = (in->op == IR_LD || in->op == IR_ST) && in->arg[1] != IR_NONE;
    bool plain = in->op == IR_LD || in->op == IR_ST;
    return arg[0].q[0] + (indexed ? arg[1].q[0] << in->ir_scale : 0) + (plain ? (uint64_t)in->imm : 0);
}

void ir_access(const struct ir_inst *in, const union ir_value *arg, uint64_t at, const struct interp_mem *mem,
               union ir_value *out)
{
    struct ir_inst flat = *in;
    union ir_value value[1 + IR_MAX_ARGS] = {0};
    for (unsigned k = 0; k < IR_MAX_ARGS; k++) {
        flat.arg[k] = 1 + k;
        value[1 + k] = arg[k];
    }
    value[1].q[0] = at;
    if (in->op == IR_LD || in->op == IR_ST) {
        flat.arg[1] = IR_NONE;
        flat.imm = 0;
    }
    if (in->op == IR_LD)
        load(&flat, value, mem, out);
    else if (in->op == IR_ST)
        store(&flat, value, mem);
    else
        atomic_op(&flat, value, mem, out);
}

static void fence(unsigned kind)
{
    switch (kind) {
    case IR_FENCE_LOAD: atomic_thread_fence(memory_order_acquire); break;
    case IR_FENCE_STORE: atomic_thread_fence(memory_order_release); break;
    default: atomic_thread_fence(memory_order_seq_cst); break;
    }
}

/* --- helpers --- */

static void call(const struct ir_inst *in, const union ir_value *value, void *state, union ir_value *out)
{
    const struct ir_helper *h = in->helper;
    union ir_value arg[IR_CALL_ARGS];
    for (unsigned n = 0; n < IR_CALL_ARGS; n++)
        arg[n] = value[in->arg[n]];
    enum ir_type result = ir_result_type(in);
    call_helper(h, state, arg, result, out);
    if (result != IR_V128)
        out->q[1] = 0;
    if (result == IR_I32 || result == IR_F32)
        out->q[0] = (uint32_t)out->q[0];
}

/* --- floating-point environment --- */

static inline uint32_t *mxcsr_of(void *state, const struct interp_layout *layout)
{
    return (uint32_t *)((char *)state + layout->mxcsr);
}

static void run_fp(const struct ir_unit *u, const struct ir_inst *in, const union ir_value *const *arg, void *state,
                   const struct interp_layout *layout, union ir_value *out)
{
    uint32_t *mxcsr = mxcsr_of(state, layout);
    struct fp_env env = ir_fp_env(*mxcsr, u->guest->fp);
    if (!ir_eval_fp(in, arg, &env, out))
        BUG("the interpreter does not know the op %s", ir_ops[in->op].name);
    *mxcsr |= ir_mxcsr_flags(env.flags);
}

/* `a cc b` of a GOTO_IF. */
static inline bool holds(const struct ir_unit *u, const struct ir_inst *in, const union ir_value *value, void *state,
                         const struct interp_layout *layout)
{
    uint64_t a = value[in->arg[0]].q[0], b = value[in->arg[1]].q[0];
    if (LIKELY(in->cc < CC_FOEQ))
        return ir_int_cc(in->cc, in->type2 == IR_I64, a, b);
    uint32_t *mxcsr = mxcsr_of(state, layout);
    struct fp_env env = ir_fp_env(*mxcsr, u->guest->fp);
    bool r = ir_eval_fp_cc(in->cc, in->type2, a, b, &env);
    *mxcsr |= ir_mxcsr_flags(env.flags);
    return r;
}

/* --- the loop --- */

enum { MAX_JUMPS = 1000 }; /* inside a unit: the run loop looks for signals */

/* The label of the unit where the exit to pc arrives, or IR_NONE. */
static ir_ref label_at(const struct ir_unit *u, uint64_t pc, unsigned *jumps)
{
    for (ir_ref r = 1; r < u->n; r++)
        if (u->inst[r].op == IR_LABEL && (uint64_t)u->inst[r].imm == pc && ++*jumps <= MAX_JUMPS)
            return r;
    return IR_NONE;
}

/* To whoever looks at accesses. */
static void tell(const struct interp_mem *mem, const struct ir_inst *in, const union ir_value *value)
{
    enum { LOADS = 1, STORES = 2 };
    const union ir_value arg[IR_MAX_ARGS] = {value[in->arg[0]], value[in->arg[1]], value[in->arg[2]],
                                             value[in->arg[3]]};
    unsigned access = in->op == IR_LD ? LOADS : in->op == IR_ST ? STORES : LOADS | STORES;
    mem->before(mem->opaque, ir_access_address(in, arg), 1u << (in->mem & MEM_SIZE), access);
}

static bool accesses(const struct ir_inst *in)
{
    return in->op == IR_LD || in->op == IR_ST || (in->op >= IR_CAS && in->op <= IR_AUMAX);
}

void ir_interpret(const struct ir_unit *u, void *state, const struct interp_layout *layout,
                  const struct interp_mem *mem, struct interp_exit *out)
{
    /* On the stack, so that a fault may leave without freeing it. */
    union ir_value *value = __builtin_alloca_with_align(u->n * sizeof *value, 128);
    uint64_t *insn_pc = (uint64_t *)((char *)state + layout->insn_pc);
    unsigned jumps = 0;
    ir_ref label;
    const struct interp_mem *watcher = mem && mem->before ? mem : NULL;
    mem = mem && mem->load ? mem : NULL;
    value[IR_NONE] = (union ir_value){0};

    for (ir_ref r = 1; r < u->n; r++) {
        const struct ir_inst *in = &u->inst[r];
        union ir_value *v = &value[r];
        if (UNLIKELY(watcher) && accesses(in))
            tell(watcher, in, value);
        switch (in->op) {
        case IR_NOP:
        case IR_LABEL: break;
        case IR_INSN: *insn_pc = in->imm; break;
        case IR_GET: slot_get(state, &u->guest->slots[in->ir_slot_], v); break;
        case IR_PUT: slot_put(state, &u->guest->slots[in->ir_slot_], &value[in->arg[0]]); break;
        case IR_LD: load(in, value, mem, v); break;
        case IR_ST: store(in, value, mem); break;
        case IR_FFLAGS: *v = (union ir_value){.q = {ir_fp_flags(*mxcsr_of(state, layout))}}; break;
        case IR_FSETFLAGS: {
            uint32_t *mxcsr = mxcsr_of(state, layout);
            *mxcsr = (*mxcsr & ~0x3fu) | ir_mxcsr_flags(value[in->arg[0]].q[0]);
            break;
        }
        case IR_FENCE: fence(in->ir_sub); break;
        case IR_CAS:
        case IR_AXCHG:
        case IR_AADD:
        case IR_AAND:
        case IR_AXOR:
        case IR_AOR:
        case IR_ASMIN:
        case IR_ASMAX:
        case IR_AUMIN:
        case IR_AUMAX: atomic_op(in, value, mem, v); break;
        case IR_GOTO_IF:
            if (holds(u, in, value, state, layout)) {
                if ((label = label_at(u, in->imm, &jumps)) != IR_NONE) {
                    r = label;
                    break;
                }
                *out = (struct interp_exit){.kind = INTERP_GOTO, .pc = in->imm, .dead = in->ir_dead, .tired = jumps > MAX_JUMPS};
                return;
            }
            break;
        case IR_GOTO:
            if (in->ir_sub == JUMP_PLAIN && (label = label_at(u, in->imm, &jumps)) != IR_NONE) {
                r = label;
                break;
            }
            *out = (struct interp_exit){.kind = INTERP_GOTO,
                                        .pc = in->imm,
                                        .jump = in->ir_sub,
                                        .return_pc = in->imm2,
                                        .dead = in->ir_dead,
                                        .tired = jumps > MAX_JUMPS};
            return;
        case IR_GOTO_IND:
            *out = (struct interp_exit){.kind = INTERP_GOTO,
                                        .pc = value[in->arg[0]].q[0],
                                        .jump = in->ir_sub,
                                        .return_pc = in->imm2,
                                        .indirect = true};
            return;
        case IR_TRAP:
            *out = (struct interp_exit){.kind = INTERP_TRAP, .pc = in->imm, .reason = in->ir_sub, .detail = in->imm2};
            return;
        case IR_CALL:
            if (in->helper->effects & HELPER_FAULTS)
                memcpy((char *)state + layout->pc, insn_pc, sizeof *insn_pc);
            call(in, value, state, v);
            break;
        default: {
            const union ir_value *arg[IR_MAX_ARGS] = {&value[in->arg[0]], &value[in->arg[1]], &value[in->arg[2]],
                                                      &value[in->arg[3]]};
            if (!ir_eval_int(in, arg[0], arg[1], arg[2], arg[3], v) && !ir_eval_vector(in, arg, v))
                run_fp(u, in, arg, state, layout, v);
        }
        }
    }
    BUG("the unit at guest pc 0x%llx has no terminator", (unsigned long long)u->pc);
}
