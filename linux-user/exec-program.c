/*
 * execve: a guest program, or a script whose interpreter is one, is run by starting this emulator again with its
 * options; everything else is the host kernel's to run or to refuse. See execve(2).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "binfmt/plan.h"
#include "exec/target.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/inherit.h"
#include "linux-user/load.h"
#include "linux-user/options.h"
#include "linux-user/self-file.h"
#include "linux-user/sysroot.h"
#include "linux-user/task.h"
#include "linux-user/trace-log.h"
#include "linux-user/uaccess.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

enum {
    MAX_SCRIPTS = 5,     /* interpreters that are scripts themselves */
    MAX_ARGS = 1 << 20,  /* more pointers than the kernel's limit of the strings' size lets through */
};

/* A program's argument list; strings are the guest's own or those of the struct's owner. */
struct arg_list {
    const char **v;
    size_t n, room;
};

static bool put_arg(struct arg_list *l, const char *s)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        const char **v = realloc(l->v, room * sizeof *v);
        if (!v)
            return false;
        l->v = v;
        l->room = room;
    }
    l->v[l->n++] = s;
    return true;
}

static int64_t get_args(struct task *t, struct arg_list *l, uint64_t at)
{
    uint64_t p = 0;
    for (unsigned i = 0; at; i++, at += sizeof p) {
        if (get_user(t, p, at))
            return -EFAULT;
        if (!p)
            break;
        if (i == MAX_ARGS)
            return -E2BIG;
        if (!put_arg(l, (const char *)(uintptr_t)p))
            return -ENOMEM;
    }
    return l->n || put_arg(l, "") ? 0 : -ENOMEM; /* the kernel gives a program without arguments an empty one */
}

/* --- what a file is --- */

/* The open file's guest architecture; NULL: no ELF file of one we know. */
static const struct target *guest_of(const uint8_t *head, size_t n)
{
    uint8_t elf_class, elf_data;
    uint16_t machine;
    if (!elf_identify(head, n, &elf_class, &elf_data, &machine) || !elf_is_program(head))
        return NULL;
    return target_by_elf(machine, elf_class, elf_data);
}

/* --- names --- */

/* The host's name for a file that is named by descriptor: /proc/thread-self/fd/N when it has no name that finds it. */
static int64_t name_of_fd(int fd, char out[PATH_MAX])
{
    struct stat a, b;
    char link[40];
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n > 0) {
        out[n] = 0;
        if (!fstat(fd, &a) && !stat(out, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return 0;
    }
    /* Without a name it has to stay open in the new program. */
    int64_t copy = host_call(SYS_dup, fd);
    if (copy < 0)
        return copy;
    snprintf(out, PATH_MAX, "/proc/thread-self/fd/%d", (int)copy);
    return 0;
}

/* A program to execute: its host path, good without a descriptor, and the name the program is to see. */
struct named_program {
    char path[PATH_MAX], execfn[PATH_MAX + 24];
    bool closes; /* execfn starts at a descriptor that the new program won't have */
};

/* What (dirfd, path) names. */
static int64_t resolve(struct task *t, int dirfd, uint64_t path, int flags, struct named_program *p)
{
    char sysroot_path[PATH_MAX], name[PATH_MAX];
    int64_t n = strncpy_from_guest(t, name, path, sizeof name);
    int fd_flags = dirfd == AT_FDCWD ? 0 : fcntl(dirfd, F_GETFD);
    p->closes = fd_flags >= 0 && fd_flags & FD_CLOEXEC && (n <= 0 || name[0] != '/');
    if (n < 0)
        return n;
    if (!n) {
        snprintf(p->execfn, sizeof p->execfn, "/dev/fd/%d", dirfd);
        return flags & AT_EMPTY_PATH ? name_of_fd(dirfd, p->path) : -ENOENT;
    }
    uint64_t at = host_path(t, dirfd, path, flags & AT_SYMLINK_NOFOLLOW ? LAST_ITSELF : LAST_FOLLOWED, sysroot_path);
    const char *found = at == path ? name : sysroot_path;
    strcpy(p->execfn, name);
    if (found[0] == '/') {
        strcpy(p->path, found);
    } else if (dirfd == AT_FDCWD) {
        if (n + 2 >= PATH_MAX)
            return -ENAMETOOLONG;
        strcpy(p->path, found[0] == '-' ? "./" : ""); /* not to be taken for an option */
        strcat(p->path, found);
    } else {
        int64_t ret = name_of_fd(dirfd, p->path);
        if (ret)
            return ret;
        size_t used = strlen(p->path);
        if (used + 1 + (size_t)n >= PATH_MAX)
            return -ENAMETOOLONG;
        p->path[used] = '/';
        strcpy(p->path + used + 1, found);
        snprintf(p->execfn, sizeof p->execfn, "/dev/fd/%d/%s", dirfd, name);
    }
    return 0;
}

/* --- what would run --- */

/*
 * Somebody has the file open for writing: who asks for a read lease is told (fcntl(2)). Of another user's file, and on
 * file systems without leases, it is not known.
 */
static bool is_being_written(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK))
        return errno == EAGAIN;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

/*
 * Since Linux 6.14 the kernel judges itself, without executing anything; those who watch the file (fanotify(7)) see
 * that it is opened to be executed.
 */
static int64_t may_execute(int fd, const char *path)
{
    static const char *const args[] = {"", NULL};
    struct stat st;
    int64_t ret = host_call(SYS_execveat, AT_FDCWD, path, args, args + 1, AT_EXECVE_CHECK);
    if (ret != -EINVAL)
        return ret;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? -errno : is_being_written(fd) ? -ETXTBSY : 0;
}

/* Would executing the open file change the process's rights, if the kernel did it? */
static bool has_rights(int fd)
{
    struct stat st;
    return !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) && !fstat(fd, &st) &&
           (st.st_mode & S_ISUID || (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) ||
            fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

/*
 * The guest that runs the file, itself or as interpreter of the script it is; NULL: the host's kernel is to run or to
 * refuse it. The file that decides goes to final, whether it has rights of its own to *privileged. 0 or -errno.
 */
static int64_t find_guest(struct task *t, const struct named_program *p, const struct target **guest,
                          char final[PATH_MAX], bool *privileged)
{
    char found[PATH_MAX];
    *guest = NULL;
    *privileged = false;
    strcpy(final, p->path);
    for (unsigned depth = 0;; depth++) {
        uint8_t head[SCRIPT_HEAD];
        struct script_plan script;
        int fd = open(final, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
        size_t n = got < 0 ? 0 : (size_t)got;
        *guest = guest_of(head, n);
        bool is_script = !*guest && script_plan(head, n, &script) == SCRIPT_YES;
        int64_t ret = *guest || is_script ? may_execute(fd, final) : 0;
        *privileged = *guest && has_rights(fd);
        if (fd >= 0)
            close(fd);
        if (ret || !is_script)
            return ret;
        if (depth == MAX_SCRIPTS)
            return -ELOOP;
        if (p->closes) /* the interpreter could not open it */
            return -ENOENT;
        strcpy(final, sysroot_choose(t->process->options->sysroot, script.interp, found));
    }
}

/* The errors that execve has for a program whose file or loader can't be used: the caller lives on. */
static int64_t check_loadable(struct task *t, const char *path)
{
    const struct linux_abi *abi = t->abi;
    char root[PATH_MAX], buf[PATH_MAX];
    const char *sysroot;
    struct program_file *f = malloc(2 * sizeof *f), *loader = f + 1;
    if (!f)
        return -ENOMEM;
    int64_t ret = program_open(f, path);
    loader->fd = -1;
    if (!ret && program_plan(abi, f))
        ret = -ENOEXEC;
    if (!ret) {
        const char *use = program_loader(abi, f, t->process->options->sysroot, &sysroot, root, buf);
        if (*use)
            ret = program_open(loader, use);
        if (*use && !ret && program_plan(abi, loader))
            ret = -ELIBBAD;
    }
    program_close(f);
    program_close(loader);
    free(f);
    return ret;
}

/* --- running it --- */

/* With AT_EMPTY_PATH among the flags and an empty path it is the descriptor's file. */
static int64_t host_exec_at(struct task *t, int fd, const char *path, const char *const *argv, uint64_t envp, int flags)
{
    if (!signal_block_all(t))
        return -SYS_RESTART_ALWAYS;
    if (!t->process->vfork_child)
        exec_save(t->process->exec, false);
    signals_before_exec(t);
    int64_t ret = safe_syscall(t, SYS_execveat, fd, (uintptr_t)path, (uintptr_t)argv, envp, flags, 0);
    signals_after_failed_exec(t);
    return ret == -SYS_RESTART ? -SYS_RESTART_ALWAYS : ret;
}

static int64_t host_exec(struct task *t, const char *path, const char *const *argv, uint64_t envp)
{
    return host_exec_at(t, AT_FDCWD, path, argv, envp, 0);
}

/*
 * The emulator: at `metic`, or by a descriptor of its file if `by` is one (not -1). Where landlock's rules, which were
 * made without knowing it, forbid that, a copy.
 */
static int64_t exec_metic(struct task *t, const char *metic, int by, const char *const *argv, uint64_t envp)
{
    int64_t ret = by < 0 ? host_exec(t, metic, argv, envp) : host_exec_at(t, by, "", argv, envp, AT_EMPTY_PATH);
    int fd = ret == -EACCES ? self_copy(t->process) : -1;
    if (fd < 0)
        return ret;
    ret = host_exec_at(t, fd, "", argv, envp, AT_EMPTY_PATH);
    close(fd);
    return ret;
}

static bool is_elf(const char *path)
{
    uint8_t head[SELFMAG];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool is = fd >= 0 && read(fd, head, sizeof head) == sizeof head && !memcmp(head, ELFMAG, SELFMAG);
    if (fd >= 0)
        close(fd);
    return is;
}

static int64_t exec_host(struct task *t, const char *path, struct arg_list *args, uint64_t envp)
{
    struct process_limits saved;
    if (!put_arg(args, NULL))
        return -ENOMEM;
    if ((t->seccomp.mode || t->tracee.active) && is_elf(path)) {
        report_unimp("%s: a native program can't be put under a guest's filters or tracer", path);
        return -EPERM;
    }
    bool exists = !faccessat(AT_FDCWD, path, F_OK, 0); /* searches along PATH ask for many names */
    if (exists)
        limits_before_exec(t->process, &saved);
    int64_t ret = host_exec(t, path, args->v, envp);
    if (exists)
        limits_after_failed_exec(&saved);
    args->n--;
    /* What may be executed but not read may be a guest's program that the host doesn't know: it can't be loaded. */
    return ret == -ENOEXEC && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) && errno == EACCES ? -EACCES : ret;
}

/* Copies of the log's descriptors that stay open over execve, or -1. */
static void copy_log(const struct task *t, int copies[2])
{
    copies[0] = copies[1] = -1;
    if (!log_mask)
        return;
    if (!log_per_thread() || !t->process->vfork_child) /* which has a stream of its own as soon as it has a program */
        copies[0] = fcntl(fileno(log_stream()), F_DUPFD, STDERR_FILENO + 1);
    if (log_on(LOG_STRACE))
        copies[1] = fcntl(trace_log_descriptor(), F_DUPFD, STDERR_FILENO + 1);
}

/*
 * The emulator again, with its options, if the program is for the same guest. args->v[0] is the program's own name.
 * Where metic can't be reached (behind a chroot without /proc) the kernel may have a registration that starts it.
 */
static int64_t exec_guest(struct task *t, const struct target *guest, const struct named_program *p,
                          struct arg_list *args, uint64_t envp)
{
    const char *const *self = t->process->self;
    const char *metic = !faccessat(AT_FDCWD, self_exe, X_OK, 0) ? self_exe : self ? self[0] : NULL;
    char limits[LIMITS_WORD];
    struct arg_list l = {0};
    int64_t ret = -ENOMEM;
    int by = -1;
    if (!self || faccessat(AT_FDCWD, metic, X_OK, 0)) {
        ret = exec_host(t, p->path, args, envp);
        by = ret == -ENOEXEC && self && t->process->self_fd >= 0
                 ? fcntl(t->process->self_fd, F_DUPFD, STDERR_FILENO + 1)
                 : -1;
        if (by < 0)
            return ret;
    }
    bool ok = put_arg(&l, "metic"); /* the file may have the name of one guest's emulator */
    for (unsigned i = 1; guest == t->abi->target && self[i]; i++)
        ok = ok && put_arg(&l, self[i]);
    limits_print(&t->process->limits, limits);
    ok = ok && put_arg(&l, "-rlimit") && put_arg(&l, limits);
    if (strcmp(p->execfn, p->path))
        ok = ok && put_arg(&l, "-execfn") && put_arg(&l, p->execfn);
    char number[12], log[32], own[12];
    snprintf(own, sizeof own, "%d", by);
    if (by >= 0)
        ok = ok && put_arg(&l, "-self-fd") && put_arg(&l, own);
    debug_exec_begin(t);
    int logs[2], kept = inherit_save(t);
    if (kept >= 0) {
        snprintf(number, sizeof number, "%d", kept);
        ok = ok && put_arg(&l, "-inherit") && put_arg(&l, number);
    }
    copy_log(t, logs);
    snprintf(log, sizeof log, "%d,%d", logs[0], logs[1]);
    if (log_mask)
        ok = ok && put_arg(&l, "-log-fd") && put_arg(&l, log);
    ok = ok && kept != INHERIT_FAILED && put_arg(&l, "-0") && put_arg(&l, args->v[0]) && put_arg(&l, p->path);
    for (size_t i = 1; i < args->n; i++)
        ok = ok && put_arg(&l, args->v[i]);
    if (ok && put_arg(&l, NULL))
        ret = exec_metic(t, metic, by, l.v, envp);
    free(l.v);
    if (by >= 0)
        close(by);
    if (kept >= 0)
        close(kept);
    for (unsigned i = 0; i < ARRAY_SIZE(logs); i++)
        if (logs[i] >= 0)
            close(logs[i]);
    debug_exec_failed(t);
    return ret;
}

/*
 * A program with rights of its own gets them from the kernel alone, through a registration with the flag for
 * credentials; without any registration it is run like others.
 */
static int64_t exec_privileged(struct task *t, const struct target *guest, const struct named_program *p,
                               struct arg_list *args, uint64_t envp)
{
    int64_t ret = t->process->options->sysroot ? -ENOEXEC : exec_host(t, p->path, args, envp);
    return ret == -ENOEXEC ? exec_guest(t, guest, p, args, envp) : ret;
}

static int64_t exec_at(struct task *t, int dirfd, uint64_t path, uint64_t argv, uint64_t envp, int flags)
{
    struct named_program p;
    char final[PATH_MAX];
    const struct target *guest;
    struct stat st;
    bool privileged = false;
    struct arg_list args = {0};
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    int64_t ret = resolve(t, dirfd, path, flags, &p);
    if (ret)
        return ret;
    if (flags & AT_SYMLINK_NOFOLLOW && !lstat(p.path, &st) && S_ISLNK(st.st_mode))
        return -ELOOP;
    ret = get_args(t, &args, argv);
    if (!ret)
        ret = find_guest(t, &p, &guest, final, &privileged);
    if (!ret && guest == t->abi->target)
        ret = check_loadable(t, final);
    if (!ret)
        ret = (!guest                                                ? exec_host(t, p.path, &args, envp)
               : privileged && !t->seccomp.mode && !t->tracee.active ? exec_privileged(t, guest, &p, &args, envp)
                                                                     : exec_guest(t, guest, &p, &args, envp));
    free(args.v);
    return ret;
}

int64_t sys_execve(struct task *t, const uint64_t a[6])
{
    return exec_at(t, AT_FDCWD, a[0], a[1], a[2], 0);
}

int64_t sys_execveat(struct task *t, const uint64_t a[6])
{
    return exec_at(t, (int)a[0], a[1], a[2], a[3], (int)a[4]);
}
