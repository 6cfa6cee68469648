/*
 * Signals of a guest process. The host kernel keeps what it can keep: dispositions (default, ignored, caught), masks,
 * pending and queued signals are the host's own, so kill, signalfd, sigtimedwait and waiting parents need no emulation.
 *
 * A caught signal runs signal.c's host handler on the thread's own alternate stack. It stores the one siginfo in the
 * task, leaves every further signal blocked, and kicks the cpu; the main loop then writes the guest's frame and gives the
 * host the guest's new mask, at which the next pending signal may arrive. SIGSEGV, SIGBUS, SIGFPE and SIGILL stay
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
#define SIGNAL_BIT(s) (UINT64_C(1) << ((s)-1))

/* struct sigaction of the asm-generic 64-bit ABI; x86-64's kernel uses the same. */
struct linux_sigaction {
    uint64_t handler, flags, restorer, mask;
};

struct signal_actions {
    struct linux_sigaction action[LINUX_NSIG + 1]; /* by number */
};

struct linux_stack {
    uint64_t sp;
    int32_t flags;
    uint64_t size;
};

struct task_signals {
    uint32_t pending;        /* info is a signal to be delivered; written by the host handler */
    bool has_saved_mask;     /* a call runs with a mask of its own (sigsuspend): saved_mask is the old one */
    uint64_t mask;           /* what the guest has blocked */
    uint64_t saved_mask;
    siginfo_t info;
    uint64_t held;           /* synchronous signals that were sent while the guest blocks them */
    siginfo_t held_info[4];
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
    uint64_t fault_address, error_code; /* of a memory fault; error_code 0: none */
};

/* Takes over the dispositions the process was started with. */
void signals_start(struct process *p);
/* A new thread's host side: alternate stack. The guest's mask becomes the host's. False without memory. */
bool task_signals_start(struct task *t);
void task_signals_end(struct task *t);
/* Delivers what is pending. result: what the interrupted call answered, or 0 with in_call false. */
void signals_deliver(struct task *t, bool in_call, int64_t result);
/* A fault of the guest's own instruction, which can't be blocked or ignored. */
void signal_force(struct task *t, int signo, int code, uint64_t addr);
/* The guest's mask, on the host too. Signals that become unblocked are pending in the task when it returns. */
void signal_set_mask(struct task *t, uint64_t mask);
/* All blocked on the host, until signal_set_mask; for moments in which a fork must not copy a pending signal. */
void signal_block_all(void);
/* Dies by the signal as the guest would have. */
void signal_die(struct task *t, int signo) __attribute__((noreturn));
/* Host dispositions as the next program must find them (ignored stays ignored); for execve. */
void signals_before_exec(struct task *t);
void signals_after_failed_exec(struct task *t);

#endif
