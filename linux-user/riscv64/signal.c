/*
 * Signal frames of riscv64, as Linux's uapi headers asm/sigcontext.h, asm/ptrace.h and asm/ucontext.h lay them out: a
 * siginfo and a ucontext whose register area ends in a list of extension records, empty here.
 */
#include "linux-user/riscv64/signal.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "linux-user/signal.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "targets/riscv/cpu.h"

/* struct __riscv_d_ext_state, in the room of the quad format's union. */
struct fp_state {
    uint64_t f[32];
    uint32_t fcsr;
    uint8_t quad_room[516 - 256 - 4];
    uint32_t reserved; /* zero: struct __riscv_extra_ext_header follows the floating point state */
    struct {
        uint32_t magic, size;
    } end; /* of the extension records: both zero */
} __attribute__((aligned(16)));

struct guest_sigcontext {
    uint64_t pc;
    uint64_t x[31]; /* x1 to x31 */
    struct fp_state fp;
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

_Static_assert(offsetof(struct fp_state, reserved) == 516 && sizeof(struct fp_state) == 528, "__riscv_fp_state");
_Static_assert(offsetof(struct guest_ucontext, mcontext) == 176, "ucontext");
_Static_assert(sizeof(struct rt_sigframe) == 1088, "rt_sigframe");

enum { X_RA = 1, X_SP = 2, X_A0 = 10 };

int rv64_setup_frame(struct task *t, const struct signal_frame *f)
{
    struct rv_cpu *c = rv(t->cpu);
    struct rt_sigframe frame;
    uint64_t at = ALIGN_DOWN(f->sp - sizeof frame, (uint64_t)16);

    /* Already on the alternate stack, and no room left there: an overflow, not another stack. */
    if (on_signal_stack(&f->stack, c->x[X_SP]) && !on_signal_stack(&f->stack, at))
        return -EFAULT;
    memset(&frame, 0, sizeof frame);
    memcpy(frame.info, f->info, sizeof frame.info);
    frame.uc.stack = f->stack;
    frame.uc.sigmask = f->mask;
    frame.uc.mcontext.pc = c->cpu.pc;
    memcpy(frame.uc.mcontext.x, c->x + 1, sizeof frame.uc.mcontext.x);
    memcpy(frame.uc.mcontext.fp.f, c->f, sizeof c->f);
    frame.uc.mcontext.fp.fcsr = rv_read_fcsr(c);
    if (copy_to_guest(t, at, &frame, sizeof frame))
        return -EFAULT;

    c->x[X_RA] = f->restorer;
    c->x[X_SP] = at;
    c->x[X_A0] = (uint64_t)f->signo;
    c->x[X_A0 + 1] = at + offsetof(struct rt_sigframe, info);
    c->x[X_A0 + 2] = at + offsetof(struct rt_sigframe, uc);
    c->cpu.pc = f->handler;
    c->res_addr = ~UINT64_C(0);
    return 0;
}

int rv64_restore_frame(struct task *t, struct signal_frame *f)
{
    struct rv_cpu *c = rv(t->cpu);
    struct rt_sigframe frame;
    if (copy_from_guest(t, &frame, c->x[X_SP], sizeof frame))
        return -EFAULT;
    const struct guest_sigcontext *sc = &frame.uc.mcontext;
    if (sc->fp.reserved || sc->fp.end.magic || sc->fp.end.size)
        return -EFAULT;
    c->cpu.pc = sc->pc;
    memcpy(c->x + 1, sc->x, sizeof sc->x);
    memcpy(c->f, sc->fp.f, sizeof c->f);
    rv_write_fcsr(c, sc->fp.fcsr);
    c->res_addr = ~UINT64_C(0);
    f->mask = frame.uc.sigmask;
    f->stack = frame.uc.stack;
    return 0;
}
