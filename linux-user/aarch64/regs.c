/* Register sets of arm64: struct user_pt_regs and user_fpsimd_state of <asm/ptrace.h>, and the thread pointer. */
#include "linux-user/aarch64/regs.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "exec/debug.h"
#include "linux-user/tracee.h"
#include "targets/aarch64/cpu.h"

struct pt_regs {
    uint64_t x[31], sp, pc, pstate;
};

struct fpsimd_state {
    v128 v[32];
    uint32_t fpsr, fpcr, reserved[2];
};

/* struct user_hwdebug_state; info: the number of slots, and from bit 8 the debug architecture. */
struct debug_state {
    uint32_t info, padding;
    struct {
        uint64_t addr;
        uint32_t control, padding;
    } slot[16];
};

_Static_assert(sizeof(struct pt_regs) == 272 && sizeof(struct fpsimd_state) == 528, "<asm/ptrace.h>");

enum { PSTATE_NZCV_SHIFT = 28 };

static const struct a64_cpu *state(const struct cpu *cpu) { return (const struct a64_cpu *)cpu; }

static void get_general(const struct cpu *cpu, void *out)
{
    const struct a64_cpu *c = state(cpu);
    struct pt_regs r = {.sp = c->sp, .pc = cpu->pc, .pstate = (uint64_t)c->nzcv << PSTATE_NZCV_SHIFT};
    memcpy(r.x, c->x, sizeof r.x);
    memcpy(out, &r, sizeof r);
}

static bool set_general(struct cpu *cpu, const void *in)
{
    struct a64_cpu *c = a64(cpu);
    struct pt_regs r;
    memcpy(&r, in, sizeof r);
    if (r.pstate & A64_PSTATE_ZERO)
        return false;
    memcpy(c->x, r.x, sizeof c->x);
    c->sp = r.sp;
    cpu->pc = r.pc;
    c->nzcv = extract64(r.pstate, PSTATE_NZCV_SHIFT, 4);
    return true;
}

static void get_fpsimd(const struct cpu *cpu, void *out)
{
    const struct a64_cpu *c = state(cpu);
    struct fpsimd_state r = {.fpsr = a64_read_fpsr(c), .fpcr = a64_read_fpcr(c)};
    memcpy(r.v, c->v, sizeof r.v);
    memcpy(out, &r, sizeof r);
}

static bool set_fpsimd(struct cpu *cpu, const void *in)
{
    struct a64_cpu *c = a64(cpu);
    struct fpsimd_state r;
    memcpy(&r, in, sizeof r);
    memcpy(c->v, r.v, sizeof c->v);
    a64_write_fpcr(c, r.fpcr);
    a64_write_fpsr(c, r.fpsr);
    return true;
}

static void get_tls(const struct cpu *cpu, void *out) { memcpy(out, &state(cpu)->tpidr, sizeof(uint64_t)); }

static bool set_tls(struct cpu *cpu, const void *in)
{
    memcpy(&a64(cpu)->tpidr, in, sizeof(uint64_t));
    return true;
}

/* --- debug registers (the kernel's arch/arm64/kernel/ptrace.c for what is refused) --- */

enum {
    BREAK_REGISTERS = 6, /* as a Cortex-A76 has */
    WATCH_REGISTERS = 4,
    DEBUG_ARMV8 = 6,
    CONTROL_ENABLED = 1,
    CONTROL_EL0 = 2 << 1,
    CONTROL_TYPE = 3,    /* from bit 3: of watchpoints, as DEBUG_…; 0: of breakpoints */
    CONTROL_BYTES = 5,   /* bit of the first: which bytes of the word */
    WORD = 7,
};

static void get_points(const struct debug_points *from, bool watch, void *out)
{
    struct debug_state s = {.info = DEBUG_ARMV8 << 8 | (watch ? WATCH_REGISTERS : BREAK_REGISTERS)};
    for (unsigned i = 0; i < DEBUG_POINTS; i++) {
        const struct debug_point *p = &from->point[i];
        uint32_t bytes = ((1u << p->length) - 1) << (watch ? p->address & WORD : 0);
        s.slot[i].addr = p->address;
        if (p->length)
            s.slot[i].control =
                (bytes & 0xff) << CONTROL_BYTES | (uint32_t)p->access << CONTROL_TYPE | CONTROL_EL0 | p->enabled;
    }
    memcpy(out, &s, sizeof s);
}

static int64_t set_control(struct debug_point *p, bool watch, uint32_t control)
{
    p->enabled = false;
    if (!(control & CONTROL_ENABLED))
        return 0;
    uint32_t type = control >> CONTROL_TYPE & DEBUG_ACCESS, bytes = control >> CONTROL_BYTES & 0xff;
    if (!bytes || watch != (type != 0) || p->address >> 48)
        return -EINVAL;
    unsigned first = (unsigned)__builtin_ctz(bytes);
    bytes >>= first;
    if (bytes & (bytes + 1)) /* not in a row */
        return -EINVAL;
    p->address = watch ? p->address + first : p->address & ~UINT64_C(3);
    p->length = watch ? (uint8_t)__builtin_popcount(bytes) : 4;
    if (watch && (p->address & WORD) + p->length > WORD + 1) /* bytes of one word only */
        p->length = WORD + 1 - (p->address & WORD);
    p->access = (uint8_t)type;
    p->enabled = true;
    return 0;
}

static int64_t set_points(struct debug_points *to, bool watch, const void *in, size_t length)
{
    struct debug_state s = {0};
    memcpy(&s, in, length);
    for (unsigned i = 0; i < DEBUG_POINTS && length > offsetof(struct debug_state, slot[i]); i++) {
        if (i >= (watch ? WATCH_REGISTERS : BREAK_REGISTERS))
            return -ENOSPC;
        to->point[i].address = s.slot[i].addr;
        int64_t ret = set_control(&to->point[i], watch, s.slot[i].control);
        if (ret)
            return ret;
    }
    return 0;
}

static void get_breaks(const struct debug_points *from, void *out) { get_points(from, false, out); }
static int64_t set_breaks(struct debug_points *to, const void *in, size_t n) { return set_points(to, false, in, n); }
static void get_watches(const struct debug_points *from, void *out) { get_points(from, true, out); }
static int64_t set_watches(struct debug_points *to, const void *in, size_t n) { return set_points(to, true, in, n); }

const struct debug_regset a64_debug_regsets[] = {
    {NT_ARM_HW_BREAK, sizeof(struct debug_state), sizeof(uint32_t), BREAKPOINTS, get_breaks, set_breaks},
    {NT_ARM_HW_WATCH, sizeof(struct debug_state), sizeof(uint32_t), WATCHPOINTS, get_watches, set_watches},
    {0},
};

/* In core files: none is set. */
static void core_breaks(const struct cpu *cpu, void *out) { get_breaks(&(struct debug_points){0}, out); }
static void core_watches(const struct cpu *cpu, void *out) { get_watches(&(struct debug_points){0}, out); }

const struct regset a64_regsets[] = {
    {NT_PRSTATUS, sizeof(struct pt_regs), sizeof(uint64_t), get_general, set_general},
    {NT_PRFPREG, sizeof(struct fpsimd_state), sizeof(uint32_t), get_fpsimd, set_fpsimd},
    {NT_ARM_TLS, sizeof(uint64_t), sizeof(uint64_t), get_tls, set_tls},
    {NT_ARM_HW_BREAK, sizeof(struct debug_state), sizeof(uint32_t), core_breaks, NULL},
    {NT_ARM_HW_WATCH, sizeof(struct debug_state), sizeof(uint32_t), core_watches, NULL},
    {0, 0, 0, NULL, NULL},
};
