/*
 * Signal frames of arm64, as Linux's uapi headers asm/sigcontext.h and asm/ucontext.h lay them out: a siginfo, a
 * ucontext whose register area ends in records {magic, size, …}, and above both a frame record {fp, lr} for unwinders.
 */
#include "linux-user/aarch64/signal.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "linux-user/aarch64/regs.h"
#include "linux-user/signal.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "targets/aarch64/cpu.h"

enum { RECORD_FPSIMD = 0x46508001, RECORD_ESR = 0x45535201, RECORD_EXTRA = 0x45585401 };

struct record_head {
    uint32_t magic, size;
};

struct fpsimd_record {
    struct record_head head;
    uint32_t fpsr, fpcr;
    v128 v[32];
};

struct esr_record {
    struct record_head head;
    uint64_t esr;
};

struct guest_sigcontext {
    uint64_t fault_address;
    uint64_t x[31];
    uint64_t sp, pc, pstate;
    uint8_t records[4096] __attribute__((aligned(16)));
};

struct guest_ucontext {
    uint64_t flags, link;
    struct linux_stack stack;
    uint64_t sigmask;
    uint8_t unused[128 - 8]; /* room for a sigset_t of 1024 signals */
    struct guest_sigcontext mcontext;
};

struct rt_sigframe {
    uint8_t info[128];
    struct guest_ucontext uc;
};

struct frame_record {
    uint64_t fp, lr;
};

_Static_assert(sizeof(struct fpsimd_record) == 528, "fpsimd_context");
_Static_assert(offsetof(struct guest_ucontext, mcontext) == 176, "ucontext");
_Static_assert(sizeof(struct rt_sigframe) == 4688, "rt_sigframe");

/* ESR_EL1 of the fault (Arm ARM D17.2.37): class, IL, WnR, fault status with level 3. */
static uint64_t fault_syndrome(const struct signal_frame *f)
{
    enum {
        EC_INSN_ABORT = 0x20,
        EC_DATA_ABORT = 0x24,
        IL = 1 << 25,
        WNR = 1 << 6,
        FSC_TRANSLATION = 7,
        FSC_PERMISSION = 15,
        FSC_ALIGNMENT = 0x21,
        FSC_EXTERNAL = 0x10
    };
    uint64_t class = f->fault_access & FAULT_FETCH ? EC_INSN_ABORT : EC_DATA_ABORT;
    uint64_t status = f->signo == SIGBUS ? f->info->si_code == BUS_ADRALN ? FSC_ALIGNMENT : FSC_EXTERNAL
                      : f->info->si_code == SEGV_ACCERR ? FSC_PERMISSION : FSC_TRANSLATION;
    return class << 26 | IL | (f->fault_access & FAULT_WRITE ? WNR : 0) | status;
}

static void save_registers(const struct a64_cpu *c, struct guest_sigcontext *sc)
{
    memcpy(sc->x, c->x, sizeof sc->x);
    sc->sp = c->sp;
    sc->pc = c->cpu.pc;
    sc->pstate = (uint64_t)c->nzcv << 28;
}

/* Returns the record's end. */
static uint8_t *save_fpsimd(const struct a64_cpu *c, uint8_t *at)
{
    struct fpsimd_record *r = (struct fpsimd_record *)at;
    r->head = (struct record_head){RECORD_FPSIMD, sizeof *r};
    r->fpsr = a64_read_fpsr(c);
    r->fpcr = a64_read_fpcr(c);
    memcpy(r->v, c->v, sizeof r->v);
    return at + sizeof *r;
}

int a64_setup_frame(struct task *t, const struct signal_frame *f)
{
    struct a64_cpu *c = a64(t->cpu);
    struct rt_sigframe frame;
    struct frame_record record = {c->x[29], c->x[30]};
    uint64_t record_at = ALIGN_DOWN(f->sp, (uint64_t)16) - sizeof record;
    uint64_t at = record_at - sizeof frame;

    memset(&frame, 0, sizeof frame);
    if (f->siginfo)
        memcpy(frame.info, f->info, sizeof frame.info);
    frame.uc.stack = f->stack;
    frame.uc.sigmask = f->mask;
    save_registers(c, &frame.uc.mcontext);
    uint8_t *end = save_fpsimd(c, frame.uc.mcontext.records);
    if (f->fault_access) {
        frame.uc.mcontext.fault_address = f->fault_address;
        *(struct esr_record *)end = (struct esr_record){{RECORD_ESR, sizeof(struct esr_record)}, fault_syndrome(f)};
    }
    if (copy_to_guest(t, at, &frame, sizeof frame) || copy_to_guest(t, record_at, &record, sizeof record))
        return -EFAULT;

    c->x[0] = (uint64_t)f->signo;
    if (f->siginfo) {
        c->x[1] = at + offsetof(struct rt_sigframe, info);
        c->x[2] = at + offsetof(struct rt_sigframe, uc);
    }
    c->x[29] = record_at;
    c->x[30] = f->restorer;
    c->sp = at;
    c->cpu.pc = f->handler;
    c->excl_addr = ~UINT64_C(0); /* exception return opens the monitor */
    return 0;
}

static void restore_fpsimd(struct a64_cpu *c, const struct fpsimd_record *r)
{
    a64_write_fpcr(c, r->fpcr);
    a64_write_fpsr(c, r->fpsr);
    memcpy(c->v, r->v, sizeof c->v);
}

/* The records may stand in any order; one of them has to hold the vector registers. */
static const struct fpsimd_record *find_fpsimd(const struct guest_sigcontext *sc)
{
    const struct fpsimd_record *found = NULL;
    size_t at = 0;
    for (;;) {
        struct record_head head;
        if (at + sizeof head > sizeof sc->records)
            return NULL;
        memcpy(&head, sc->records + at, sizeof head);
        if (!head.magic)
            return head.size ? NULL : found;
        if (head.size < sizeof head || head.size % 16 || head.size > sizeof sc->records - at)
            return NULL;
        if (head.magic == RECORD_FPSIMD) {
            if (found || head.size != sizeof *found)
                return NULL;
            found = (const struct fpsimd_record *)(sc->records + at);
        } else if (head.magic != RECORD_ESR && head.magic != RECORD_EXTRA) {
            return NULL;
        }
        at += head.size;
    }
}

int a64_restore_frame(struct task *t, struct signal_frame *f)
{
    struct a64_cpu *c = a64(t->cpu);
    struct rt_sigframe frame;
    if (c->sp & 15 || copy_from_guest(t, &frame, c->sp, sizeof frame))
        return -EFAULT;
    const struct guest_sigcontext *sc = &frame.uc.mcontext;
    const struct fpsimd_record *fp = find_fpsimd(sc);
    if (!fp || sc->pstate & A64_PSTATE_ZERO)
        return -EFAULT;
    memcpy(c->x, sc->x, sizeof c->x);
    c->sp = sc->sp;
    c->cpu.pc = sc->pc;
    c->nzcv = extract64(sc->pstate, 28, 4);
    c->excl_addr = ~UINT64_C(0);
    restore_fpsimd(c, fp);
    f->mask = frame.uc.sigmask;
    f->stack = frame.uc.stack;
    return 0;
}
