/* What privileged instructions do: volume II, 3.3 and 12.2. They raise an illegal instruction where it says so. */
#include "targets/riscv/priv/helpers.h"

#include "base/log.h"
#include "exec/exec.h"

/* cpu->pc is that of the instruction. */
static void illegal(struct rv_hart *h, uint32_t insn) __attribute__((noreturn));
static void illegal(struct rv_hart *h, uint32_t insn)
{
    rv_raise(h, RV_ILLEGAL, insn);
    exec_leave(&h->cpu.cpu, EXIT_TARGET);
}

static uint64_t rv_do_csr(struct rv_hart *h, uint32_t request, uint32_t insn, uint64_t operand)
{
    uint64_t old;
    if (!rv_access_csr(h, request & 0xfff, request >> 12 & 3, request >> 16 & 1, request >> 17 & 1, operand, &old)) {
        const char *name = rv_csr_name(request & 0xfff);
        if (log_on(LOG_GUEST_ERROR))
            log_printf("no access to CSR 0x%x (%s) at privilege %u\n", request & 0xfff, name ? name : "there is none",
                       h->privilege);
        illegal(h, insn);
    }
    return old;
}

static void rv_do_return(struct rv_hart *h, uint32_t from, uint32_t insn)
{
    if (!rv_return(h, from))
        illegal(h, insn);
    exec_leave(&h->cpu.cpu, EXIT_TARGET);
}

static void rv_do_wait(struct rv_hart *h, uint32_t insn, uint64_t next)
{
    if (!rv_may_wait(h))
        illegal(h, insn);
    h->cpu.cpu.pc = next;
    exec_leave(&h->cpu.cpu, EXIT_HALT);
}

/* by_address: only translations of the page at `address` have become stale. */
static void rv_do_fence(struct rv_hart *h, uint32_t insn, uint32_t by_address, uint64_t address, uint64_t next)
{
    if (!rv_may_fence(h))
        illegal(h, insn);
    if (by_address)
        h->env->flush_page(h->env->opaque, h, address);
    else
        h->env->flush(h->env->opaque, h, true);
    h->cpu.cpu.pc = next;
    exec_leave(&h->cpu.cpu, EXIT_NONE);
}

#define X(name, fn, sig, effects) const struct ir_helper rv_helper_##name = {#name, (void (*)(void))fn, sig, effects};
#include "targets/riscv/priv/helpers.def"
#undef X
