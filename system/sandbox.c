/* What a running machine asks of the kernel, as a table: see sandbox.h. */
#define _GNU_SOURCE
#include "system/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/bits.h"
#include "hw/device.h"
#include "softmmu/options.h"

/* Names as in libseccomp; what this architecture does not have is passed over. */
static const char *const needed[] = {
    /* memory: RAM, generated code, the heap */
    "mmap", "munmap", "mprotect", "mremap", "madvise", "msync", "mincore", "brk", "membarrier", "memfd_create",
    /* files: disks, logs, states, sockets, terminals */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "open", "openat",
    "close", "close_range", "lseek", "fstat", "stat", "lstat", "newfstatat", "statx", "fsync", "fdatasync", "sync_file_range",
    "fallocate", "ftruncate", "flock", "fcntl", "ioctl", "dup", "dup2", "dup3", "pipe", "pipe2", "rename", "renameat",
    "renameat2", "unlink", "unlinkat", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "statfs",
    "fstatfs", "copy_file_range",
    /* folders shown to the guest */
    "getdents64", "mkdir", "mkdirat", "linkat", "symlinkat", "mknodat", "fchmod", "fchmodat", "fchown", "fchownat", "utimensat",
    "truncate", "chmod", "chown", "lchown", "getxattr", "lgetxattr", "fgetxattr", "setxattr", "lsetxattr", "fsetxattr",
    "listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr", "umask",
    /* waiting */
    "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "nanosleep", "clock_nanosleep", "restart_syscall",
    /* networks, the monitor, the debugger */
    "socket", "socketpair", "bind", "listen", "connect", "accept", "accept4", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
    /* threads and signals */
    "futex", "futex_waitv", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "sched_yield", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend",
    "rt_sigtimedwait", "sigaltstack", "signalfd4", "exit", "exit_group", "arch_prctl",
    /* what time it is, who and where we are */
    "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getcpu", "getrandom", "getpid", "getppid", "gettid",
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getpgrp", "getpgid", "getsid", "uname",
    "sysinfo", "getrusage", "getrlimit", "getpriority",
};

static const char *const obsolete[] = {
    "uselib", "ustat", "sysfs", "_sysctl", "create_module", "get_kernel_syms", "query_module", "nfsservctl", "getpmsg",
    "putpmsg", "afs_syscall", "tuxcall", "vserver", "remap_file_pages", "readdir", "bdflush", "sgetmask", "ssetmask",
};

static const char *const elevate[] = {
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "setpgid",
    "setsid", "capset",
};

static const char *const spawn[] = {"fork", "vfork", "execve", "execveat"};
static const char *const spawn_helpers[] = {"wait4", "waitid", "kill"}; /* with the others */

static const char *const resource[] = {
    "setpriority", "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity", "ioprio_set", "setrlimit",
    "mbind", "set_mempolicy", "migrate_pages", "move_pages",
};

/* Nothing of a machine's, whatever else is allowed. */
static const char *const never[] = {
    "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "swapon",
    "swapoff", "reboot", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf",
    "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl", "iopl", "ioperm", "settimeofday", "clock_settime",
    "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "acct", "quotactl", "open_by_handle_at", "personality",
};

/* --- options --- */

static char *read_rule(struct options *o, const char *key, bool children, enum sandbox_rule *rule)
{
    const char *value = options_get(o, key);
    *rule = SANDBOX_DENY;
    if (value && !strcmp(value, "allow"))
        *rule = SANDBOX_ALLOW;
    else if (value && children && !strcmp(value, "children"))
        *rule = SANDBOX_CHILDREN;
    else if (value && strcmp(value, "deny"))
        return device_error("-sandbox: %s is allow%s deny, not '%s'", key, children ? ", children or" : " or", value);
    return NULL;
}

char *sandbox_read(struct sandbox *s, const char *text)
{
    struct options o;
    *s = (struct sandbox){.on = false};
    char *error = options_parse(&o, text, "enable");
    if (!error && (!options_get(&o, "enable") || !options_bool(&o, "enable", false, &s->on)))
        error = device_error("-sandbox wants on or off, not '%s'", text);
    if (!error)
        error = read_rule(&o, "obsolete", false, &s->obsolete);
    if (!error)
        error = read_rule(&o, "elevateprivileges", true, &s->elevateprivileges);
    if (!error)
        error = read_rule(&o, "spawn", false, &s->spawn);
    if (!error)
        error = read_rule(&o, "resourcecontrol", false, &s->resourcecontrol);
    if (!error && options_unknown(&o))
        error =
            device_error("-sandbox has no part %s; there are obsolete, elevateprivileges, spawn and resourcecontrol",
                         options_unknown(&o));
    options_free(&o);
    return error;
}

/* --- the filter --- */

struct filter {
    scmp_filter_ctx context;
    int error;
};

static void add(struct filter *f, uint32_t action, const char *name, unsigned nconditions,
                const struct scmp_arg_cmp *conditions)
{
    int number = seccomp_syscall_resolve_name(name);
    if (!f->error && number >= 0)
        f->error = seccomp_rule_add_array(f->context, action, number, nconditions, conditions);
}

static void add_all(struct filter *f, uint32_t action, const char *const *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        add(f, action, names[i], 0, NULL);
}

/* Threads, and only these; their creation by clone3(2), whose arguments a filter cannot see, is not there. */
static void add_threads(struct filter *f, bool processes)
{
    const struct scmp_arg_cmp thread = {.arg = 0,
                                        .op = SCMP_CMP_MASKED_EQ,
                                        .datum_a = CLONE_THREAD,
                                        .datum_b = CLONE_THREAD};
    const struct scmp_arg_cmp other = {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
    add(f, SCMP_ACT_ALLOW, "clone", !processes, &thread);
    if (processes)
        add(f, SCMP_ACT_ALLOW, "clone3", 0, NULL);
    else
        add(f, SCMP_ACT_KILL_PROCESS, "clone", 1, &other);
}

static void add_rest(struct filter *f, const struct sandbox *s)
{
    const struct scmp_arg_cmp own = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    const struct scmp_arg_cmp no_limit = {.arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0}; /* prlimit64() that only asks */
    static const int names[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA};
    add(f, SCMP_ACT_ALLOW, "tgkill", 1, &own);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const struct scmp_arg_cmp name = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)names[i]};
        add(f, SCMP_ACT_ALLOW, "prctl", 1, &name);
    }
    if (s->resourcecontrol == SANDBOX_ALLOW)
        add(f, SCMP_ACT_ALLOW, "prlimit64", 0, NULL);
    else
        add(f, SCMP_ACT_ALLOW, "prlimit64", 1, &no_limit);
}

char *sandbox_close(const struct sandbox *s)
{
    struct filter f = {seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), 0};
    if (!f.context)
        return device_error("-sandbox: no memory for the filter");
    f.error = seccomp_attr_set(f.context, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!f.error)
        f.error = seccomp_attr_set(f.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* Libraries try affinity and priorities and live without: these are refused, the others end the process. */
    add_all(&f, SCMP_ACT_ALLOW, needed, ARRAY_SIZE(needed));
    add_all(&f, SCMP_ACT_KILL_PROCESS, never, ARRAY_SIZE(never));
    add_all(&f, s->obsolete ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, obsolete, ARRAY_SIZE(obsolete));
    add_all(&f, s->elevateprivileges ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, elevate, ARRAY_SIZE(elevate));
    add_all(&f, s->spawn ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, spawn, ARRAY_SIZE(spawn));
    add_all(&f, s->resourcecontrol ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), resource, ARRAY_SIZE(resource));
    if (s->spawn)
        add_all(&f, SCMP_ACT_ALLOW, spawn_helpers, ARRAY_SIZE(spawn_helpers));
    add_threads(&f, s->spawn);
    add_rest(&f, s);
    if (!f.error && s->elevateprivileges != SANDBOX_ALLOW && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        f.error = -errno;
    if (!f.error)
        f.error = seccomp_load(f.context);
    seccomp_release(f.context);
    if (f.error)
        return device_error("-sandbox: the kernel does not take the filter: %s", strerror(-f.error));
    return NULL;
}
