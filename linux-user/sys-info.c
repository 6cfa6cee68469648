/*
 * What a process asks about itself and its machine: limits, uname, personality, prctl. Answers describe the guest's
 * machine; requests that belong to another processor get the error a kernel of the guest's architecture gives.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "base/bits.h"
#include "base/log.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

/* -- limits */

static int64_t get_limit(struct task *t, unsigned resource, struct process_limit *out)
{
    const struct process_limit *kept = limit_kept(&t->process->limits, resource);
    if (!kept)
        return host_call(SYS_prlimit64, 0, resource, 0, out);
    *out = *kept;
    return 0;
}

static int64_t set_limit(struct task *t, unsigned resource, const struct process_limit *new)
{
    struct process_limit *kept = limit_kept(&t->process->limits, resource);
    if (!kept)
        return host_call(SYS_prlimit64, 0, resource, new, 0);
    if (new->cur > new->max)
        return -EINVAL;
    if (new->max > kept->max && host_call(SYS_geteuid) != 0)
        return -EPERM;
    *kept = *new;
    limit_changed(t->process, resource);
    return 0;
}

int64_t sys_prlimit64(struct task *t, const uint64_t a[6])
{
    int32_t pid = (int32_t)a[0];
    unsigned resource = (unsigned)a[1];
    if (pid != 0 && pid != host_call(SYS_getpid))
        return host_call(SYS_prlimit64, pid, resource, a[2], a[3]);
    struct process_limit old, new;
    if (a[2] && copy_from_guest(t, &new, a[2], sizeof new))
        return -EFAULT;
    int64_t ret = get_limit(t, resource, &old);
    if (!ret && a[2])
        ret = set_limit(t, resource, &new);
    if (!ret && a[3] && copy_to_guest(t, a[3], &old, sizeof old))
        return -EFAULT;
    return ret;
}

int64_t sys_getrlimit(struct task *t, const uint64_t a[6])
{
    struct process_limit l;
    int64_t ret = get_limit(t, (unsigned)a[0], &l);
    return ret ? ret : copy_to_guest(t, a[1], &l, sizeof l) ? -EFAULT : 0;
}

int64_t sys_setrlimit(struct task *t, const uint64_t a[6])
{
    struct process_limit l;
    return copy_from_guest(t, &l, a[1], sizeof l) ? -EFAULT : set_limit(t, (unsigned)a[0], &l);
}

/* -- the machine */

/* PER_UNAME26: releases from 3.0 on are told as 2.6.40 and so on (kernel/sys.c, override_release). */
static void release_26(char *release, size_t size)
{
    unsigned major = 0, minor = 0;
    char rest[sizeof((struct utsname *)0)->release];
    const char *at = release;
    for (unsigned dots = 0; (*at >= '0' && *at <= '9') || (*at == '.' && ++dots < 3);)
        at++;
    strcpy(rest, at);
    if (sscanf(release, "%u.%u", &major, &minor) == 2 && major > 2)
        snprintf(release, size, "2.6.%u%s", minor + 60, rest);
}

int64_t sys_uname(struct task *t, const uint64_t a[6])
{
    struct utsname u;
    int64_t ret = host_call(SYS_uname, &u);
    if (ret)
        return ret;
    strncpy(u.machine, t->abi->uts_machine, sizeof u.machine - 1);
    if (t->process->uname_release)
        strncpy(u.release, t->process->uname_release, sizeof u.release - 1);
    if (t->process->personality & UNAME26)
        release_26(u.release, sizeof u.release);
    return copy_to_guest(t, a[0], &u, sizeof u) ? -EFAULT : 0;
}

/*
 * The host learns of ADDR_NO_RANDOMIZE, so that programs the guest starts are loaded without chance, too, and of what
 * select does with its time; other bits would change what the emulator itself is or sees, and are kept over execve by
 * inherit.h.
 */
static const uint32_t host_personality = ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS;

int64_t sys_personality(struct task *t, const uint64_t a[6])
{
    uint32_t old = t->process->personality, new = (uint32_t)a[0];
    if (new == 0xffffffff)
        return old;
    if ((new & PER_MASK) == PER_LINUX32 && t->abi->no_personality32)
        return -EINVAL;
    t->process->personality = new;
    int64_t host = host_call(SYS_personality, 0xffffffff);
    if (host >= 0 && (host ^ new) & host_personality)
        host_call(SYS_personality, host ^ ((host ^ new) & host_personality));
    return old;
}

/* -- prctl */

/* Of newer headers than the ones metic is built with. */
enum {
    PR_SET_MEMORY_MERGE_REQUEST = 67,
    PR_GET_MEMORY_MERGE_REQUEST = 68,
    PR_SET_MDWE_REQUEST = 65,
    PR_GET_MDWE_REQUEST = 66,
    PR_GET_AUXV_REQUEST = 0x41555856,
};

static int64_t get_name(struct task *t, uint64_t to)
{
    char name[16] = {0};
    int64_t ret = host_call(SYS_prctl, PR_GET_NAME, name, 0, 0, 0);
    return ret ? ret : copy_to_guest(t, to, name, sizeof name) ? -EFAULT : 0;
}

static int64_t get_auxv(struct task *t, const uint64_t a[6])
{
    uint8_t auxv[AUXV_MAX];
    uint64_t size = t->process->auxv_end - t->process->auxv_start, n = a[2] < size ? a[2] : size;
    if (a[3] || a[4])
        return -EINVAL;
    CHECK(size <= sizeof auxv);
    if (copy_from_guest(t, auxv, t->process->auxv_start, size) || copy_to_guest(t, a[1], auxv, n))
        return -EFAULT;
    return (int64_t)size;
}

/*
 * What an emulator tells of the guest it runs. The break is the kernel's own business here: it can be told, not moved.
 * The program's file stays.
 */
static int64_t set_mm_map(struct task *t, const uint64_t a[6])
{
    struct process *p = t->process;
    struct prctl_mm_map m;
    uint64_t auxv[AUXV_MAX / 8];
    if (a[4] || a[3] != sizeof m)
        return -EINVAL;
    if (copy_from_guest(t, &m, a[2], sizeof m))
        return -EFAULT;
    if (m.exe_fd != UINT32_MAX)
        return -EPERM;
    if (m.start_code >= m.end_code || m.start_data > m.end_data || m.start_brk > m.brk || m.arg_start > m.arg_end ||
        m.env_start > m.env_end || (m.auxv_size && (!m.auxv || m.auxv_size > sizeof auxv)))
        return -EINVAL;
    if (copy_from_guest(t, auxv, (uintptr_t)m.auxv, m.auxv_size))
        return -EFAULT;
    pthread_mutex_lock(&p->lock);
    p->code_start = m.start_code;
    p->code_end = m.end_code;
    p->data_start = m.start_data;
    p->data_end = m.end_data;
    p->stack_start = m.start_stack;
    p->arg_start = m.arg_start;
    p->arg_end = m.arg_end;
    p->env_start = m.env_start;
    p->env_end = m.env_end;
    if (m.auxv_size) {
        memcpy(p->given_auxv, auxv, m.auxv_size);
        p->auxv_start = (uintptr_t)p->given_auxv;
        p->auxv_end = p->auxv_start + m.auxv_size;
    }
    guest_show_to_host(p, false);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

/* One address. The break is the kernel's own business here, too, and the program's file stays. */
static int64_t set_mm_word(struct task *t, int which, uint64_t address, uint64_t size, uint64_t rest)
{
    enum { LOWEST = 1 << 16 };
    struct process *p = t->process;
    uint64_t *const word[] = {
        [PR_SET_MM_START_CODE] = &p->code_start, [PR_SET_MM_END_CODE] = &p->code_end,   [PR_SET_MM_START_DATA] = &p->data_start,
        [PR_SET_MM_END_DATA] = &p->data_end,     [PR_SET_MM_START_STACK] = &p->stack_start, [PR_SET_MM_ARG_START] = &p->arg_start,
        [PR_SET_MM_ARG_END] = &p->arg_end,       [PR_SET_MM_ENV_START] = &p->env_start, [PR_SET_MM_ENV_END] = &p->env_end,
    };
    if (rest || (size && which != PR_SET_MM_AUXV))
        return -EINVAL;
    if (!has_capability(CAP_SYS_RESOURCE) || which == PR_SET_MM_EXE_FILE || which == PR_SET_MM_BRK ||
        which == PR_SET_MM_START_BRK)
        return -EPERM;
    if (which == PR_SET_MM_AUXV) {
        if (size > sizeof p->given_auxv)
            return -EINVAL;
        memset(p->given_auxv, 0, sizeof p->given_auxv);
        if (copy_from_guest(t, p->given_auxv, address, size))
            return -EFAULT;
        p->auxv_start = (uintptr_t)p->given_auxv;
        p->auxv_end = p->auxv_start + size;
        guest_show_to_host(p, false);
        return 0;
    }
    if (which < 0 || which >= (int)ARRAY_SIZE(word) || !word[which] || address < LOWEST ||
        address >> t->abi->target->address_bits)
        return -EINVAL;
    if (which >= PR_SET_MM_START_STACK && mm_protection(p->mm, address) < 0)
        return -EFAULT;
    pthread_mutex_lock(&p->lock);
    uint64_t old = *word[which];
    *word[which] = address;
    bool ok = p->code_start < p->code_end && p->data_start <= p->data_end && p->arg_start <= p->arg_end &&
              p->env_start <= p->env_end;
    if (ok)
        guest_show_to_host(p, false);
    else
        *word[which] = old;
    pthread_mutex_unlock(&p->lock);
    return ok ? 0 : -EINVAL;
}

static int64_t set_mm(struct task *t, const uint64_t a[6])
{
    unsigned size = sizeof(struct prctl_mm_map);
    switch ((int)a[1]) {
    case PR_SET_MM_MAP: return set_mm_map(t, a);
    case PR_SET_MM_MAP_SIZE: return put_user(t, size, a[2]);
    default: return set_mm_word(t, (int)a[1], a[2], a[3], a[4]);
    }
}

int64_t sys_prctl(struct task *t, const uint64_t a[6])
{
    switch ((int)a[0]) {
    case PR_GET_NAME:
        return get_name(t, a[1]);
    /* The same meaning on every architecture, and about this very host process or thread. */
    case PR_SET_NAME:
    case PR_SET_PDEATHSIG:
    case PR_GET_PDEATHSIG:
    case PR_GET_DUMPABLE:
    case PR_SET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_GET_TIMING:
    case PR_SET_TIMING:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_SET_TIMERSLACK:
    case PR_GET_TIMERSLACK:
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
    case PR_MCE_KILL:
    case PR_MCE_KILL_GET:
    case PR_SET_PTRACER:
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_CHILD_SUBREAPER:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
    case PR_CAP_AMBIENT:
    case PR_SET_IO_FLUSHER:
    case PR_GET_IO_FLUSHER:
    case PR_SCHED_CORE:
    case PR_GET_TID_ADDRESS:
    case PR_SET_MEMORY_MERGE_REQUEST:
    case PR_GET_MEMORY_MERGE_REQUEST:
    case PR_SET_VMA:
        return host_call(SYS_prctl, a[0], a[1], a[2], a[3], a[4]);
    case PR_GET_SECCOMP:
        return seccomp_prctl_get(t);
    case PR_SET_SECCOMP:
        return seccomp_prctl_set(t, a[1], a[2]);
    case PR_SET_SYSCALL_USER_DISPATCH: return user_dispatch_prctl(t, a);
    case PR_SET_MDWE_REQUEST: return a[2] || a[3] || a[4] ? -EINVAL : mm_set_mdwe(t->process->mm, a[1]);
    case PR_GET_MDWE_REQUEST: return a[1] || a[2] || a[3] || a[4] ? -EINVAL : (int64_t)mm_mdwe(t->process->mm);
    case PR_SET_MM:
        return set_mm(t, a);
    case PR_GET_AUXV_REQUEST:
        return get_auxv(t, a);
    default:
        /* Other processors' features, and those of the guest's that its hardware model does not offer. */
        return t->abi->prctl(a);
    }
}
