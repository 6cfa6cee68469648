/*
 * execve: a guest program is run by starting this emulator again with its options; a script's first line is read here, so
 * that its interpreter may be a guest program; everything else is the host kernel's to run or to refuse. See execve(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "binfmt/plan.h"
#include "exec/target.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/sysroot.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

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

/* The host's name for a file that is named by descriptor: /proc/self/fd/N when it has no name that finds it. */
static int64_t name_of_fd(int fd, char out[PATH_MAX])
{
    struct stat a, b;
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
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
    snprintf(out, PATH_MAX, "/proc/self/fd/%d", (int)copy);
    return 0;
}

/* The file that (dirfd, path) names, as a host path that is good without dirfd. */
static int64_t resolve(struct task *t, int dirfd, uint64_t path, int flags, char out[PATH_MAX])
{
    char sysroot_path[PATH_MAX], name[PATH_MAX];
    int64_t n = strncpy_from_guest(t, name, path, sizeof name);
    if (n < 0)
        return n;
    if (!n)
        return flags & AT_EMPTY_PATH ? name_of_fd(dirfd, out) : -ENOENT;
    uint64_t at = host_path(t, path, sysroot_path);
    const char *found = at == path ? name : sysroot_path;
    if (found[0] == '/') {
        strcpy(out, found);
    } else if (dirfd == AT_FDCWD) {
        if (n + 2 >= PATH_MAX)
            return -ENAMETOOLONG;
        strcpy(out, found[0] == '-' ? "./" : ""); /* not to be taken for an option */
        strcat(out, found);
    } else {
        int64_t ret = name_of_fd(dirfd, out);
        if (ret)
            return ret;
        size_t used = strlen(out);
        if (used + 1 + (size_t)n >= PATH_MAX)
            return -ENAMETOOLONG;
        out[used] = '/';
        strcpy(out + used + 1, found);
    }
    return 0;
}

/* --- running it --- */

static int64_t host_exec(struct task *t, const char *path, const char *const *argv, uint64_t envp)
{
    if (!signal_block_all(t))
        return -SYS_RESTART_ALWAYS;
    signals_before_exec(t);
    int64_t ret = safe_syscall(t, SYS_execve, (uintptr_t)path, (uintptr_t)argv, envp, 0, 0, 0);
    signals_after_failed_exec(t);
    return ret == -SYS_RESTART ? -SYS_RESTART_ALWAYS : ret;
}

/* The emulator again, with its options, if the program is for the same guest. args->v[0] is the program's own name. */
static int64_t exec_guest(struct task *t, const struct target *guest, const char *path, const struct arg_list *args,
                          uint64_t envp)
{
    static const char self_exe[] = "/proc/self/exe";
    const char *const *self = t->process->self;
    struct arg_list l = {0};
    int64_t ret = -ENOMEM;
    bool ok = put_arg(&l, self[0]);
    for (unsigned i = 1; guest == t->abi->target && self[i]; i++)
        ok = ok && put_arg(&l, self[i]);
    ok = ok && put_arg(&l, "-0") && put_arg(&l, args->v[0]) && put_arg(&l, path);
    for (size_t i = 1; i < args->n; i++)
        ok = ok && put_arg(&l, args->v[i]);
    if (ok && put_arg(&l, NULL))
        ret = host_exec(t, faccessat(AT_FDCWD, self_exe, X_OK, 0) ? self[0] : self_exe, l.v, envp);
    free(l.v);
    return ret;
}

static int64_t may_execute(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? -errno : 0;
}

/* args: with the program's own name first; grows. */
static int64_t exec_file(struct task *t, const char *path, struct arg_list *args, uint64_t envp, unsigned depth);

/* The script's name and its interpreter's argument go in front of the arguments, in place of the name. */
static int64_t exec_script(struct task *t, const char *path, const struct script_plan *script, struct arg_list *args,
                           uint64_t envp, unsigned depth)
{
    char found[PATH_MAX];
    const char *interpreter = script->interp, *argument = script->arg[0] ? script->arg : NULL;
    size_t front = argument ? 3 : 2;
    if (depth == MAX_SCRIPTS)
        return -ELOOP;
    for (size_t i = 1; i < front; i++)
        if (!put_arg(args, NULL))
            return -ENOMEM;
    memmove(args->v + front, args->v + 1, (args->n - front) * sizeof *args->v);
    args->v[0] = interpreter;
    args->v[1] = argument ? argument : path;
    args->v[front - 1] = path;
    return exec_file(t, sysroot_lookup(t->process, interpreter, found) ? found : interpreter, args, envp, depth + 1);
}

static int64_t exec_file(struct task *t, const char *path, struct arg_list *args, uint64_t envp, unsigned depth)
{
    uint8_t head[SCRIPT_HEAD];
    struct script_plan script;
    int64_t ret;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
    size_t n = got < 0 ? 0 : got;
    const struct target *guest = guest_of(head, n);
    bool is_script = !guest && script_plan(head, n, &script) == SCRIPT_YES;
    ret = guest || is_script ? may_execute(fd, path) : 0;
    if (fd >= 0)
        close(fd);
    if (ret)
        return ret;
    if (guest)
        return exec_guest(t, guest, path, args, envp);
    if (is_script)
        return exec_script(t, path, &script, args, envp, depth);
    if (!put_arg(args, NULL))
        return -ENOMEM;
    return host_exec(t, path, args->v, envp);
}

static int64_t exec_at(struct task *t, int dirfd, uint64_t path, uint64_t argv, uint64_t envp, int flags)
{
    char host[PATH_MAX];
    struct stat st;
    struct arg_list args = {0};
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    int64_t ret = resolve(t, dirfd, path, flags, host);
    if (ret)
        return ret;
    if (flags & AT_SYMLINK_NOFOLLOW && !lstat(host, &st) && S_ISLNK(st.st_mode))
        return -ELOOP;
    ret = get_args(t, &args, argv);
    if (!ret)
        ret = exec_file(t, host, &args, envp, 0);
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
