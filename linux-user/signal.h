/*
 * Signals of a guest process. The host kernel keeps what it can keep: dispositions (default, ignored, caught), masks,
 * pending and queued signals are the host's own, so kill, signalfd, sigtimedwait and waiting parents need no emulation.
 *
 * A caught signal runs signal.c's host handler on the thread's own alternate stack. It stores the one siginfo in the
 * task, leaves every further signal blocked, and kicks the cpu; the main loop then writes the guest's frame and gives
 * the host the guest's new mask, at which the next pending signal may arrive. SIGSEGV, SIGBUS and SIGFPE stay
 * unblocked on the host, because metic's own code raises them for the guest; what another process sends of these
 * while the guest blocks them is held in the task.
 */
#ifndef LINUX_USER_SIGNAL_H
#define LINUX_USER_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct task;
struct process;

enum { LINUX_NSIG = 64 };
enum { SYNC_SIGNALS = 3 }; /* SIGSEGV, SIGBUS, SIGFPE: raised on the host by guest instructions */
enum { SIGNAL_PENDING_INFO = 1, SIGNAL_PENDING_HELD = 2, SIGNAL_PENDING_TRACE = 4 }; /* a siginfo stands in info; a held signal is not blocked; a stop for the tracer is due */
#define SS_AUTODISARM_FLAG (1u << 31) /* SS_AUTODISARM of <linux/signal.h> */
enum { FAULT_MEMORY = 1, FAULT_WRITE = 2, FAULT_FETCH = 4 };
#define SIGNAL_BIT(s) (UINT64_C(1) << ((s)-1))

/*
 * struct sigaction of x86-64 and arm64; architectures without sa_restorer leave that word out (linux_abi.sa_restorer).
 */
struct linux_sigaction {
    uint64_t handler, flags, restorer, mask;
};

struct signal_actions {
    struct linux_sigaction action[LINUX_NSIG + 1]; /* by number */
    bool ends_itself;     /* where a signal's default action ends the process, metic does: see signals_end_in_order */
    bool leaves_defaults; /* for good: see signals_leave_defaults */
};

struct linux_stack {
    uint64_t sp;
    int32_t flags;
    uint64_t size;
};

struct task_signals {
    uint32_t pending;        /* SIGNAL_PENDING_…: what is to be delivered; written by the host handler */
    uint32_t fault_access;   /* FAULT_… of the last memory fault */
    bool late;               /* a call of the host's is made though a signal is pending: begun_syscall() */
    bool has_saved_mask;     /* a call runs with a mask of its own (sigsuspend): saved_mask is the old one */
    uint64_t mask;           /* what the guest has blocked */
    uint64_t saved_mask;
    siginfo_t info;
    uint64_t held;           /* synchronous signals that were sent while the guest blocks them */
    siginfo_t held_info[SYNC_SIGNALS];
    struct linux_stack altstack;
    void *host_stack;        /* of the host handler */
};

/* What setup_frame writes and restore_frame reads. */
struct signal_frame {
    int signo;
    const siginfo_t *info;
    uint64_t handler, restorer, sp; /* sp: where the frame may begin to grow down */
    uint64_t mask;
    struct linux_stack stack;
    bool siginfo;                /* SA_SIGINFO: the handler takes three arguments */
    uint32_t fault_access;       /* FAULT_… bits when a memory fault raised it, else 0 */
    uint64_t fault_address;
};

/* Whether sp is on the alternate stack (sas_ss_flags and on_sig_stack of the kernel; auto-disarmed ones never are). */
static inline bool on_signal_stack(const struct linux_stack *s, uint64_t sp)
{
    return !(s->flags & (int32_t)SS_AUTODISARM_FLAG) && sp > s->sp && sp - s->sp <= s->size;
}
/* sigaltstack(2) for a guest whose stack pointer is sp: 0, -EPERM, -EINVAL, -ENOMEM. */
int signal_set_stack(struct task *t, const struct linux_stack *s, uint64_t sp);

/*
 * A process may send itself a fault's signal with the siginfo of a fault (crash reporters do). To the host's handler it
 * must not look like one: signal_disguise gives its si_code a form that the handler knows. False: it needs none.
 */
bool signal_disguise(int signo, siginfo_t *info);
/* Takes over the dispositions the process was started with. */
void signals_start(struct process *p);
/*
 * Signals that end the process by default do so at a precise point from now on: for one whose memory others go on to
 * use. Where it is killed in the middle of something they have its locks (base/shared-lock.h), but perhaps half of its
 * changes.
 */
void signals_end_in_order(struct process *p);
/*
 * Signals that end the process by default do so by the host from now on: for one that may wait where the host lets in
 * only these, and not those that metic catches to store its translations first.
 */
void signals_leave_defaults(struct process *p);
/* In a forked child, when only its own thread is left. */
void signals_fork_child(struct process *p);
/* The host's C library has made its first thread, and with it has taken its reserved signals from the guest. */
void signals_retake(struct process *p);
/* A new thread's host side: alternate stack. The guest's mask becomes the host's. False without memory. */
bool task_signals_start(struct task *t);
void task_signals_end(struct task *t);
/* Only the host handler's stack, for a host thread that lends it to a child with shared memory. */
bool signal_host_stack_start(struct task *t);
void signal_host_stack_end(struct task *t);
/* Frees what a thread had that fork left behind. */
void task_signals_forget(struct task *other);
/*
 * Delivers what is pending and gives the host the guest's mask. in_call: behind a system call that answered result,
 * which is stored, or turned into a restart, before the first handler's frame is written.
 */
void signals_deliver(struct task *t, bool in_call, int64_t result);
/* Does what the disposition says with a signal the tracer knows of already. */
void signal_act(struct task *t, const siginfo_t *info);
/* The same behind a call that was interrupted: result as for signals_deliver(). */
void signal_act_in_call(struct task *t, const siginfo_t *info, int64_t result);
/* From the host's handler: a signal that came for the thread; or only something to look at in the main loop. */
void signal_caught(struct task *t, const siginfo_t *info, void *ucontext);
void signal_wake(struct task *t, void *ucontext);
/* A fault of the guest's own instruction, which can't be blocked or ignored. */
void signal_force(struct task *t, int signo, int code, uint64_t addr);
/* The same with all that a handler is told: a signal the kernel would force. */
void signal_force_info(struct task *t, const siginfo_t *info);
/*
 * The guest's mask, on the host too. Signals that become unblocked are pending in the task when it returns. While a
 * caught signal is pending the host's stays all blocked; signals_deliver does the rest.
 */
void signal_set_mask(struct task *t, uint64_t mask);
/* The same, but false and nothing done while a signal is pending that was caught under the old mask. */
bool signal_try_mask(struct task *t, uint64_t mask);
/*
 * A wait under a mask of its own was interrupted: handlers that are delivered now run under it and return to the
 * thread's mask. Call signals_deliver next.
 */
void signal_use_mask(struct task *t, uint64_t mask);
/*
 * All blocked on the host until signal_set_mask(t, t->signals.mask), for moments in which nothing may be caught; false
 * (and nothing done) if a signal is pending, which is to be delivered first.
 */
bool signal_block_all(struct task *t);
/*
 * What others tell the process (tracee.h) waits until it is let in again, which a new process does when it can hear it.
 * The guest's memory can't be touched meanwhile.
 */
void signal_hold_messages(bool hold);
/* What rt_sigaction does to the process's dispositions, on the host too; old may be NULL. */
int64_t signal_set_action(struct process *p, int signo, const struct linux_sigaction *new, struct linux_sigaction *old);
/* Dies by the signal as the guest would have, with the guest's core dump where its default action is one. */
void signal_die(struct task *t, const siginfo_t *info) __attribute__((noreturn));
/* Host dispositions and mask as the next program must find them (ignored stays ignored); for execve. */
void signals_before_exec(struct task *t);
void signals_after_failed_exec(struct task *t);

#endif
