/* Register sets of arm64: struct user_pt_regs and user_fpsimd_state of <asm/ptrace.h>, and the thread pointer. */
#include "linux-user/aarch64/regs.h"

#include <elf.h>
#include <string.h>

#include "base/bits.h"
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

enum { PSTATE_NZCV_SHIFT = 28, PSTATE_MODE = 0x1f }; /* mode 0: EL0 of AArch64 */

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
    if (r.pstate & PSTATE_MODE)
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

/* A machine whose debug hardware has no breakpoints and no watchpoints. */
static void get_debug(const struct cpu *cpu, void *out)
{
    enum { DEBUG_ARMV8 = 6 };
    struct debug_state s = {.info = DEBUG_ARMV8 << 8};
    memcpy(out, &s, sizeof s);
}

static bool set_debug(struct cpu *cpu, const void *in)
{
    struct debug_state s;
    memcpy(&s, in, sizeof s);
    for (unsigned i = 0; i < ARRAY_SIZE(s.slot); i++)
        if (s.slot[i].control & 1)
            return false;
    return true;
}

const struct regset a64_regsets[] = {
    {NT_PRSTATUS, sizeof(struct pt_regs), sizeof(uint64_t), get_general, set_general},
    {NT_PRFPREG, sizeof(struct fpsimd_state), sizeof(uint32_t), get_fpsimd, set_fpsimd},
    {NT_ARM_TLS, sizeof(uint64_t), sizeof(uint64_t), get_tls, set_tls},
    {NT_ARM_HW_BREAK, sizeof(struct debug_state), sizeof(uint32_t), get_debug, set_debug},
    {NT_ARM_HW_WATCH, sizeof(struct debug_state), sizeof(uint32_t), get_debug, set_debug},
    {0, 0, 0, NULL, NULL},
};
