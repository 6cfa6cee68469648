/*
 * --verify: each unit runs twice, first in the interpreter with its stores kept aside, then as generated code; guest
 * registers, memory and faults must come out equal. A unit that jumps to itself stays inside in both. Units with
 * atomics, or calls of helpers with effects beyond registers, are only run as generated code. For one thread and
 * deterministic programs.
 */
#include "exec/exec-internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "exec/dump.h"

enum { MAX_BYTES = 8192, MAX_ROUNDS = 100 };

/* Bytes the interpreter stored, newest last. */
struct store_log {
    unsigned n;
    bool overflow;
    struct {
        uint64_t addr;
        uint8_t value;
    } byte[MAX_BYTES];
};

static void logged_load(void *opaque, uint64_t addr, void *to, unsigned size)
{
    const struct store_log *log = opaque;
    memcpy(to, (const void *)(uintptr_t)addr, size);
    for (unsigned i = 0; i < log->n; i++)
        if (log->byte[i].addr - addr < size)
            ((uint8_t *)to)[log->byte[i].addr - addr] = log->byte[i].value;
}

static void logged_store(void *opaque, uint64_t addr, const void *from, unsigned size)
{
    struct store_log *log = opaque;
    /* What cannot be written faults here, as it will there. */
    for (unsigned i = 0; i < size; i += size > 1 ? size - 1 : 1) {
        volatile uint8_t *p = (volatile uint8_t *)(uintptr_t)(addr + i);
        *p = *p;
    }
    for (unsigned i = 0; i < size; i++) {
        if (log->n == MAX_BYTES) {
            log->overflow = true;
            return;
        }
        log->byte[log->n].addr = addr + i;
        log->byte[log->n++].value = ((const uint8_t *)from)[i];
    }
}

/* Helpers may have effects that cannot be taken back, or answer from outside the state (clocks). */
static bool helper_repeatable(const struct ir_helper *h)
{
    return h->effects & HELPER_PURE ||
           (h->effects & (HELPER_READS_STATE | HELPER_WRITES_STATE) && !(h->effects & HELPER_FAULTS));
}

/* May the unit run twice? Atomics write memory at once. */
static bool repeatable(const struct ir_unit *u)
{
    for (uint32_t i = 0; i < u->n; i++) {
        uint32_t props = ir_facts[u->inst[i].op].props;
        if ((props & IR_P_CALL) && !helper_repeatable(u->inst[i].helper))
            return false;
        if ((props & IR_P_STORE) && (props & IR_P_BARRIER))
            return false;
    }
    return true;
}

/* dead: 1 + slot whose value does not matter, or 0. */
static void compare(const struct cpu *cpu, const struct cpu *judge, const struct code_block *b,
                    const struct store_log *log, unsigned dead)
{
    const struct ir_guest *g = cpu->target->ir;
    bool same = cpu->pc == judge->pc && cpu->exit_reason == judge->exit_reason &&
                ((cpu->mxcsr ^ judge->mxcsr) & ~2u) == 0; /* the denormal flag is the host's alone */
    static const uint8_t size[IR_TYPE_COUNT] = {[IR_I32] = 4, [IR_I64] = 8, [IR_F32] = 4, [IR_F64] = 8, [IR_V128] = 16};
    for (unsigned i = 0; i < g->nslots; i++) {
        unsigned off = g->slots[i].offset;
        if (i + 1 != dead && memcmp((const char *)cpu + off, (const char *)judge + off, size[g->slots[i].type])) {
            uint64_t got[2] = {0}, want[2] = {0};
            memcpy(got, (const char *)cpu + off, size[g->slots[i].type]);
            memcpy(want, (const char *)judge + off, size[g->slots[i].type]);
            log_printf("verify: %s is %016llx%016llx, should be %016llx%016llx\n", g->slots[i].name,
                       (unsigned long long)got[1], (unsigned long long)got[0], (unsigned long long)want[1],
                       (unsigned long long)want[0]);
            same = false;
        }
    }
    for (unsigned i = log->n; i-- > 0 && same;) {
        bool newest = true;
        for (unsigned j = i + 1; j < log->n && newest; j++)
            newest = log->byte[j].addr != log->byte[i].addr;
        uint8_t got = *(const uint8_t *)(uintptr_t)log->byte[i].addr;
        if (newest && got != log->byte[i].value) {
            log_printf("verify: byte at 0x%llx is %02x, should be %02x\n", (unsigned long long)log->byte[i].addr, got,
                       log->byte[i].value);
            same = false;
        }
    }
    if (same)
        return;
    log_printf("verify: pc 0x%llx reason %u mxcsr %x, should be 0x%llx reason %u mxcsr %x\n",
               (unsigned long long)cpu->pc, cpu->exit_reason, cpu->mxcsr, (unsigned long long)judge->pc,
               judge->exit_reason, judge->mxcsr);
    dump_unit("verify", b->unit);
    dump_host(cpu->exec->host, b);
    BUG("generated code and interpreter disagree on the unit at guest pc 0x%llx", (unsigned long long)b->pc);
}

/* False: it did not come to an end that can be compared. Faults count as one. */
static bool interpret(struct cpu *cpu, struct code_block *b, struct store_log *log, struct interp_exit *e)
{
    const struct interp_mem mem = {log, logged_load, logged_store};
    jmp_buf leave;
    void *outer = cpu->leave_env;
    volatile bool done = true;
    log->n = 0;
    log->overflow = false;
    *e = (struct interp_exit){0};
    cpu->leave_env = &leave;
    if (!_setjmp(leave)) {
        unsigned rounds = 0;
        do
            ir_interpret(b->unit, cpu, &cpu_interp_layout, &mem, e);
        while (!b->quick && e->kind == INTERP_GOTO && !e->indirect && e->jump == JUMP_PLAIN && e->pc == b->pc &&
               rounds++ < MAX_ROUNDS);
        exec_take_exit(cpu, e);
        done = rounds <= MAX_ROUNDS && !e->tired;
    } else if (cpu->insn_pc & IR_OWN) { /* a fault that is not the guest's */
        done = false;
    }
    cpu->leave_env = outer;
    return done && !log->overflow;
}

void exec_verify(struct cpu *cpu, struct code_block *b)
{
    if (!repeatable(b->unit)) {
        cpu->exec->entry.enter(cpu, b->entry);
        return;
    }
    static __thread struct store_log log;
    size_t size = cpu->target->state_size;
    struct cpu *before = malloc(size), *judge = malloc(size);
    CHECK(before && judge);
    memcpy(before, cpu, size);
    struct interp_exit e;
    /* The interpreter works on the thread's own state (helpers may know its address), which is then put back. */
    bool comparable = interpret(cpu, b, &log, &e);
    memcpy(judge, cpu, size);
    uint32_t request = cpu->exit_request;
    memcpy(cpu, before, size);
    cpu->exit_request |= request;
    cpu->exec->entry.enter(cpu, b->entry);
    /* A poll may have sent the generated code out at a place where the interpreter went on. */
    if (comparable && !(cpu->exit_request && cpu->exit_reason == EXIT_NONE))
        compare(cpu, judge, b, &log, e.dead);
    free(before);
    free(judge);
}
