/*
 * System call dispatch. A call is looked up by its number in the guest's table; calls marked `pass` are executed from
 * their description alone, those marked `hand` by their handler, the rest is refused with the error the table gives.
 */
#include "linux-user/dispatch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/abi.h"
#include "linux-user/fd-guard.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/trace.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

static syscall_fn *const handlers[CALL_COUNT] = {
#define X(name) [CALL_##name] = sys_##name,
    SYSCALLS_BY_HAND(X)
#undef X
};

static int64_t host_call_described(struct task *t, const struct call_desc *d, const uint64_t a[6])
{
    if (d->restart == SYS_RESTART)
        return begun_syscall(t, d->host, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (d->restart)
        return safe_syscall(t, d->host, a[0], a[1], a[2], a[3], a[4], a[5]);
    return host_call(d->host, a[0], a[1], a[2], a[3], a[4], a[5]);
}

enum { MAX_CONVERTED_STRUCT = 192 }; /* the largest struct with a layout of its own on the host, with room */

/* What flags of a call say about a symbolic link at its path's end. */
static enum last_link last_link(const struct call_desc *d, const uint64_t a[6], enum last_link last)
{
    for (unsigned i = 0; i < d->nargs; i++) {
        if (d->arg[i].kind != KIND_flags)
            continue;
        bool at = d->arg[i].ref == SET_at || d->arg[i].ref == SET_at_statx;
        if ((at && a[i] & AT_SYMLINK_NOFOLLOW) || (d->arg[i].ref == SET_inotify && a[i] & IN_DONT_FOLLOW))
            return LAST_ITSELF;
        if (at && a[i] & AT_SYMLINK_FOLLOW)
            return LAST_FOLLOWED;
    }
    return last;
}

int64_t __attribute__((noinline)) dispatch_described(struct task *t, const struct call_desc *d, const uint64_t guest[6])
{
    uint64_t a[6];
    char path[2][PATH_MAX];
    unsigned npaths = 0;
    int dirfd = AT_FDCWD;
    union {
        char bytes[MAX_CONVERTED_STRUCT];
        uint64_t align;
    } host, copy;
    const struct arg_desc *bounced = NULL;
    uint64_t bounced_to = 0;

    memcpy(a, guest, sizeof a);
    for (unsigned i = 0; i < d->nargs; i++) {
        const struct arg_desc *arg = &d->arg[i];
        const struct struct_desc *s = &syscall_structs[arg->ref];
        switch (arg->kind) {
        case KIND_dirfd:
            dirfd = (int)a[i];
            break;
        case KIND_path:
        case KIND_lpath:
            a[i] = host_path(t, dirfd, a[i], last_link(d, guest, arg->kind == KIND_lpath ? LAST_ITSELF : LAST_FOLLOWED),
                             path[npaths++]);
            break;
        case KIND_flags:
            a[i] = flags_to_host(t->abi->syscalls, arg->ref, a[i]);
            break;
        case KIND_in:
        case KIND_out:
        case KIND_io:
            if (!s->differs || !a[i])
                break;
            CHECK(!bounced && s->size <= sizeof copy && s->host_size <= sizeof host);
            if (arg->kind != KIND_out) {
                if (copy_from_guest(t, &copy, a[i], s->size))
                    return -EFAULT;
                struct_to_host(arg->ref, &host, &copy);
            }
            bounced = arg;
            bounced_to = a[i];
            a[i] = (uintptr_t)&host;
        }
    }
    int64_t ret = host_call_described(t, d, a);
    if (ret >= 0 && bounced && bounced->kind != KIND_in) {
        struct_to_guest(bounced->ref, &copy, &host);
        if (copy_to_guest(t, bounced_to, &copy, syscall_structs[bounced->ref].size))
            return -EFAULT;
    }
    return ret;
}

static int64_t run_call(struct task *t, int call, const uint64_t a[6])
{
    const struct call_desc *d = &syscall_calls[call];
    int64_t ret;
    switch (d->support) {
    case SUPPORT_PASS:
        ret = d->convert ? dispatch_described(t, d, a) : host_call_described(t, d, a);
        break;
    case SUPPORT_HAND:
        ret = handlers[call](t, a);
        break;
    default:
        return -(int64_t)d->error;
    }
    /*
     * The host was interrupted for a signal: what that means is a property of the call. Where the host's kernel would
     * have restarted the call itself safe_syscall answers SYS_RESTART, so that EINTR of a call that waits for
     * descriptors is final (a socket with a time-out).
     */
    if (d->restart && (ret == -SYS_RESTART || (ret == -EINTR && d->restart != SYS_RESTART)))
        ret = -(int64_t)d->restart;
    return ret;
}

static int64_t __attribute__((noinline)) trace_and_run(struct task *t, int call, uint64_t number, const uint64_t a[6])
{
    struct trace_line line;
    int64_t ret;
    if (is_vdso_call(t, call))
        return run_call(t, call, a);
    trace_enter(t, &line, call, number, a);
    t->shown = true;
    if (!guard_own_fds(call, a, &ret))
        ret = run_call(t, call, a);
    trace_leave(t, &line, ret);
    return ret;
}

int64_t dispatch_call(struct task *t, int call, const uint64_t a[6])
{
    return run_call(t, call, a);
}

int64_t dispatch_syscall(struct task *t)
{
    uint64_t a[6];
    uint64_t number = t->abi->syscall_args(t->cpu, a);
    return UNLIKELY(t->watch) ? watched_syscall(t, number, a) : dispatch_number(t, number, a);
}

int64_t dispatch_number(struct task *t, uint64_t number, const uint64_t a[6])
{
    const struct syscall_abi *abi = t->abi->syscalls;
    int call = number < abi->ncalls ? abi->calls[number] : CALL_unknown;
    if (UNLIKELY(syscall_calls[call].support == SUPPORT_REFUSED && log_on(LOG_UNIMP))) {
        if (call == CALL_unknown)
            log_printf("unknown system call %llu\n", (unsigned long long)number);
        else
            log_printf("system call %s is not implemented\n", syscall_calls[call].name);
    }
    return UNLIKELY(log_on(LOG_STRACE)) ? trace_and_run(t, call, number, a) : run_call(t, call, a);
}
