/* Signals, their sets, actions and siginfo in a -strace line. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "linux-user/abi.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"

enum { NSIG_INVERSE = 42 }; /* a set of so many is printed as what it lacks, as strace does */

const char *trace_signal_name(int signo, char buf[16])
{
    const struct flag_set *s = COMMON_SET(signal);
    for (unsigned i = 0; i < s->nflags; i++)
        if ((int)s->flags[i].value == signo)
            return s->flags[i].name;
    if (signo > 32 && signo <= 64)
        snprintf(buf, 16, "SIGRT_%d", signo - 32);
    else
        snprintf(buf, 16, signo == 32 ? "SIGRTMIN" : "%d", signo);
    return buf;
}

void trace_sigset(struct trace_line *l, uint64_t set)
{
    char buf[16];
    bool inverse = __builtin_popcountll(set) >= NSIG_INVERSE;
    const char *sep = "";
    trace_put(l, inverse ? "~[" : "[");
    for (int s = 1; s <= 64; s++)
        if ((set >> (s - 1) & 1) != inverse) {
            trace_put(l, "%s%s", sep, trace_signal_name(s, buf) + 3);
            sep = " ";
        }
    trace_put(l, "]");
}

void trace_sigset_at(struct task *t, struct trace_line *l, uint64_t addr)
{
    uint64_t set;
    if (!addr || copy_from_guest(t, &set, addr, 8))
        trace_address(l, addr);
    else
        trace_sigset(l, set);
}

/* pselect6's last argument: {set, size}. */
void trace_sigmask_at(struct task *t, struct trace_line *l, uint64_t addr)
{
    uint64_t v[2];
    if (!addr || copy_from_guest(t, v, addr, sizeof v)) {
        trace_address(l, addr);
        return;
    }
    trace_put(l, "{sigmask=");
    trace_sigset_at(t, l, v[0]);
    trace_put(l, ", sigsetsize=%" PRIu64 "}", v[1]);
}

void trace_sigaction_at(struct task *t, struct trace_line *l, uint64_t addr)
{
    uint64_t v[4], handler, flags; /* handler, flags, restorer where there is one, mask */
    bool restorer = t->abi->sa_restorer;
    if (!addr || copy_from_guest(t, v, addr, restorer ? 32 : 24)) {
        trace_address(l, addr);
        return;
    }
    handler = v[0];
    flags = v[1];
    trace_put(l, "{sa_handler=");
    if (handler <= 1)
        trace_put(l, handler ? "SIG_IGN" : "SIG_DFL");
    else
        trace_put(l, "%#" PRIx64, handler);
    trace_put(l, ", sa_mask=");
    trace_sigset(l, v[restorer ? 3 : 2]);
    trace_put(l, ", sa_flags=");
    trace_flags(l, COMMON_SET(sa), flags);
    if (restorer && flags & 0x04000000)
        trace_put(l, ", sa_restorer=%#" PRIx64, v[2]);
    trace_put(l, "}");
}

/* Which names a signal's own codes have. */
static const struct flag_set *codes_of(int signo)
{
    switch (signo) {
    case SIGILL: return COMMON_SET(ill_code);
    case SIGFPE: return COMMON_SET(fpe_code);
    case SIGSEGV: return COMMON_SET(segv_code);
    case SIGBUS: return COMMON_SET(bus_code);
    case SIGTRAP: return COMMON_SET(trap_code);
    case SIGCHLD: return COMMON_SET(cld_code);
    case SIGIO: return COMMON_SET(poll_code);
    case SIGSYS: return COMMON_SET(sys_code);
    }
    return NULL;
}

static void put_sender(struct trace_line *l, const siginfo_t *i)
{
    trace_put(l, ", si_pid=%d, si_uid=%u", i->si_pid, i->si_uid);
}

static void put_sigvalue(struct trace_line *l, const siginfo_t *i)
{
    trace_put(l, ", si_int=%d, si_ptr=", i->si_value.sival_int);
    trace_address(l, (uintptr_t)i->si_value.sival_ptr);
}

static void put_siginfo_of_kernel(struct trace_line *l, const siginfo_t *i)
{
    char buf[16];
    switch (i->si_signo) {
    case SIGCHLD:
        put_sender(l, i);
        if (i->si_code == CLD_EXITED)
            trace_put(l, ", si_status=%d", i->si_status);
        else
            trace_put(l, ", si_status=%s", trace_signal_name(i->si_status, buf));
        trace_put(l, ", si_utime=%ld, si_stime=%ld", (long)i->si_utime, (long)i->si_stime);
        break;
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
        trace_put(l, ", si_addr=");
        trace_address(l, (uintptr_t)i->si_addr);
        break;
    case SIGIO: trace_put(l, ", si_band=%ld, si_fd=%d", i->si_band, i->si_fd); break;
    case SIGSYS:
        trace_put(l, ", si_call_addr=");
        trace_address(l, (uintptr_t)i->si_call_addr);
        trace_put(l, ", si_syscall=%d, si_arch=%#x", i->si_syscall, i->si_arch);
        break;
    default:
        if (i->si_code != SI_KERNEL)
            put_sender(l, i);
    }
}

void trace_siginfo(struct trace_line *l, const void *siginfo)
{
    siginfo_t info; /* laid out alike everywhere */
    const siginfo_t *i = &info;
    char buf[16];
    memcpy(&info, siginfo, sizeof info);
    if (!i->si_signo && !i->si_code && !i->si_errno) {
        trace_put(l, "{}");
        return;
    }
    const struct flag_set *codes = i->si_code > 0 ? codes_of(i->si_signo) : NULL;
    trace_put(l, "{si_signo=%s, si_code=", trace_signal_name(i->si_signo, buf));
    if (!(codes && trace_name(l, codes, (uint64_t)(int64_t)i->si_code)) &&
        !trace_name(l, COMMON_SET(si_code), (uint64_t)(int64_t)i->si_code))
        trace_put(l, "%#x", i->si_code);
    if (i->si_errno)
        trace_put(l, ", si_errno=%d", i->si_errno);
    switch (i->si_code) {
    case SI_USER:
    case SI_TKILL: put_sender(l, i); break;
    case SI_TIMER:
        trace_put(l, ", si_timerid=%#x, si_overrun=%d", i->si_timerid, i->si_overrun);
        put_sigvalue(l, i);
        break;
    default:
        if (i->si_code > 0) {
            put_siginfo_of_kernel(l, i);
        } else {
            put_sender(l, i);
            put_sigvalue(l, i);
        }
    }
    trace_put(l, "}");
}
