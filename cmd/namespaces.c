/* A root of another architecture in namespaces of its own: see namespaces.h. */
#include "cmd/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"

extern char **environ;

static bool complain(const char *what, const char *path)
{
    report_error("run: %s %s: %s", what, path, strerror(errno));
    return false;
}

/* --- ids --- */

/* The name of a user in /etc/passwd: newuidmap's files are kept by name. */
static bool user_name(uid_t uid, char *name, size_t size)
{
    FILE *f = fopen("/etc/passwd", "re");
    char line[1024];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        char *password = strchr(line, ':'), *id = password ? strchr(password + 1, ':') : NULL;
        found = id && strtoul(id + 1, NULL, 10) == uid;
        if (found)
            snprintf(name, size, "%.*s", (int)(password - line), line);
    }
    if (f)
        fclose(f);
    return found;
}

/* The user's first range in /etc/subuid or /etc/subgid. */
static bool id_range(const char *file, uid_t uid, unsigned long *first, unsigned long *count)
{
    char name[256] = "", number[24], line[512], who[256];
    snprintf(number, sizeof number, "%u", (unsigned)uid);
    user_name(uid, name, sizeof name);
    FILE *f = fopen(file, "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found =
            sscanf(line, "%255[^:]:%lu:%lu", who, first, count) == 3 && (!strcmp(who, name) || !strcmp(who, number));
    if (f)
        fclose(f);
    return found;
}

static bool write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* newuidmap PID 0 UID 1 1 FIRST COUNT: the caller as root, its range as all others. */
static bool map_range(const char *tool, const char *file, pid_t pid, uid_t user, unsigned own)
{
    unsigned long first, count;
    char word[4][24];
    pid_t child;
    int status;
    if (!id_range(file, user, &first, &count))
        return false;
    snprintf(word[0], sizeof word[0], "%d", (int)pid);
    snprintf(word[1], sizeof word[1], "%u", own);
    snprintf(word[2], sizeof word[2], "%lu", first);
    snprintf(word[3], sizeof word[3], "%lu", count);
    const char *const argv[] = {tool, word[0], "0", word[1], "1", "1", word[2], word[3], NULL};
    if (posix_spawnp(&child, tool, NULL, NULL, (char *const *)argv, environ))
        return false;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Maps the ids of `pid`, from outside its namespace. */
static bool map_ids(pid_t pid, uid_t uid, gid_t gid)
{
    char line[48];
    if (!map_range("newuidmap", "/etc/subuid", pid, uid, uid)) {
        snprintf(line, sizeof line, "0 %u 1", (unsigned)uid);
        if (!write_proc(pid, "uid_map", line))
            return complain("can't map the user id of process", "");
    }
    if (!map_range("newgidmap", "/etc/subgid", pid, uid, gid)) {
        snprintf(line, sizeof line, "0 %u 1", (unsigned)gid);
        if (!write_proc(pid, "setgroups", "deny") || !write_proc(pid, "gid_map", line))
            return complain("can't map the group id of process", "");
    }
    return true;
}

static bool refuse_unshare(void)
{
    report_error("run: can't make a namespace: %s%s", strerror(errno),
                 errno == EPERM    ? " (user namespaces are restricted here: `metic doctor` names the setting)"
                 : errno == ENOSPC ? " (raise /proc/sys/user/max_user_namespaces)"
                                   : "");
    return false;
}

/* This process in a user namespace; a child that stays outside maps its ids when it is there. */
static bool unshare_user(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int ready[2], status = -1;
    char byte;
    if (pipe2(ready, O_CLOEXEC))
        return complain("can't make", "a pipe");
    pid_t self = getpid(), child = fork();
    if (!child) {
        close(ready[1]);
        _exit(read(ready[0], &byte, 1) == 1 && map_ids(self, uid, gid) ? 0 : 1);
    }
    close(ready[0]);
    bool ok = child > 0 && !unshare(CLONE_NEWUSER);
    if (!ok)
        refuse_unshare();
    if (ok && write(ready[1], "", 1) != 1)
        ok = false;
    close(ready[1]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return ok && !status && !setresgid(0, 0, 0) && !setresuid(0, 0, 0);
}

bool place_unshare(const struct place *p)
{
    int flags = CLONE_NEWNS | (p->host_pids ? 0 : CLONE_NEWPID);
    if (!geteuid() && !unshare(flags))
        return true;
    if (!unshare_user())
        return false;
    return !unshare(flags) || refuse_unshare();
}

/* --- mounts --- */

/* Makes the folder or file and what it lies in; remembers what was made. */
static bool make_point(struct place *p, const char *path, bool folder)
{
    char part[PATH_MAX];
    for (const char *slash = path;;) {
        slash = strchr(slash + 1, '/');
        snprintf(part, sizeof part, "%.*s", slash ? (int)(slash - path) : PATH_MAX - 1, path);
        int r = slash || folder ? mkdir(part, 0755) : open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (r < 0 && errno != EEXIST)
            return false;
        if (r > 0)
            close(r);
        if (r >= 0 && strncmp(part, "/dev/", 5) && p->nmade < ARRAY_SIZE(p->made))
            p->made[p->nmade++] = strdup(part);
        if (!slash)
            return true;
    }
}

static bool is_folder(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

/* Detaches a copy of what is mounted at a path of the host; it goes where the root says later. */
static void clone_tree(struct bind *b)
{
    b->tree = open_tree(AT_FDCWD, b->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static bool attach(struct place *p, struct bind *b)
{
    if (b->tree < 0 && b->optional)
        return true;
    if (b->tree < 0)
        return complain("can't bind", b->source);
    if (b->read_only) {
        struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
        if (mount_setattr(b->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) && !b->optional)
            return complain("can't make read-only", b->source);
    }
    bool missing = access(b->target, F_OK);
    if (missing && b->optional)
        return true;
    struct stat st;
    if (missing && !lstat(b->target, &st) && S_ISLNK(st.st_mode))
        unlink(b->target); /* leads nowhere: debootstrap's first stage leaves such a /proc */
    if (missing && !make_point(p, b->target, is_folder(b->tree)))
        return complain("can't make", b->target);
    if (move_mount(b->tree, "", AT_FDCWD, b->target, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS))
        return complain("can't bind to", b->target);
    close(b->tree);
    return true;
}

/* Files of /dev that every program may use. */
static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

static const struct {
    const char *target, *name;
} links[] = {
    {"/proc/self/fd", "/dev/fd"},           {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"},     {"pts/ptmx", "/dev/ptmx"},
};

/* Of its own, so that what the command does to its mode stays inside; users may not make one and see the host's. */
static bool make_device(struct place *p, struct bind *b)
{
    struct stat st;
    if (fstat(b->tree, &st) || mknod(b->target, S_IFCHR | 0666, st.st_rdev))
        return attach(p, b);
    close(b->tree);
    return !chmod(b->target, 0666) || complain("can't make", b->target);
}

static bool mount_new(const char *type, const char *target, unsigned long flags, const char *data)
{
    if ((mkdir(target, 0755) && errno != EEXIST) || mount(type, target, type, flags, data))
        return complain("can't mount", target);
    return true;
}

static bool fill_dev(struct place *p, struct bind dev[ARRAY_SIZE(devices)])
{
    if (!mount_new("tmpfs", "/dev", MS_NOSUID, "mode=755,size=1m"))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
        if (!make_device(p, &dev[i]))
            return false;
    if (mkdir(PLACE_OWN, 0755))
        return complain("can't make", PLACE_OWN);
    for (unsigned i = 0; i < ARRAY_SIZE(links); i++)
        if (symlink(links[i].target, links[i].name))
            return complain("can't make", links[i].name);
    return mount_new("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") &&
           mount_new("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
}

/*
 * A /proc of the new pid namespace, or the host's, detached. While the host's is still there: for a user namespace the
 * kernel makes one only beside one that hides nothing.
 */
static bool make_proc(const struct place *p, struct bind *proc)
{
    if (p->host_pids) {
        clone_tree(proc);
        return true;
    }
    int fs = fsopen("proc", FSOPEN_CLOEXEC);
    if (fs >= 0 && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
        proc->tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    int error = errno;
    if (fs >= 0)
        close(fs);
    if (proc->tree >= 0)
        return true;
    errno = error;
    if (errno == EPERM)
        report_error(
            "run: the kernel refuses a new /proc here, as in a container that hides part of its own: try --host-pids");
    else
        complain("can't mount", "/proc");
    return false;
}

/* The root becomes a mount that can be the root: on itself. */
static bool change_root(const char *root)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) || mount(root, root, NULL, MS_BIND | MS_REC, NULL) ||
        chdir(root))
        return complain("can't use", root);
    /* The old root lies on top of the new one for a moment: pivot_root(2), "pivot_root(".", ".")". */
    if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return complain("can't change the root to", root);
    return true;
}

bool place_enter(struct place *p)
{
    struct bind dev[ARRAY_SIZE(devices)] = {0};
    struct bind system[] = {
        {.source = "/sys", .target = "/sys", .read_only = true, .optional = true},
        {.source = "/etc/resolv.conf", .target = "/etc/resolv.conf", .read_only = true, .optional = true},
        {.source = "/etc/hosts", .target = "/etc/hosts", .read_only = true, .optional = true},
    };
    struct bind proc = {.source = "/proc", .target = "/proc", .tree = -1};
    struct bind own[] = {
        {.source = "/proc", .target = PLACE_OWN "/proc", .tree = -1},
        {.target = PLACE_METIC, .tree = -1},
    };
    if (!realpath("/proc/self/exe", own[1].source)) /* the link's own mount is of another namespace */
        return complain("can't find", "/proc/self/exe");
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        snprintf(dev[i].source, PATH_MAX, "/dev/%s", devices[i]);
        strcpy(dev[i].target, dev[i].source);
        clone_tree(&dev[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(system); i++)
        clone_tree(&system[i]);
    for (unsigned i = 0; i < p->nbinds; i++)
        clone_tree(&p->bind[i]);
    clone_tree(&own[1]);
    if (!make_proc(p, &proc) || !make_proc(p, &own[0]) || !change_root(p->root) || !attach(p, &proc) ||
        !fill_dev(p, dev) || !attach(p, &own[0]) || !attach(p, &own[1]))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(system); i++)
        if (!attach(p, &system[i]))
            return false;
    for (unsigned i = 0; i < p->nbinds; i++)
        if (!attach(p, &p->bind[i]))
            return false;
    return true;
}

void place_leave(struct place *p)
{
    while (p->nmade > 0) {
        char *path = p->made[--p->nmade];
        struct stat st;
        while (!umount2(path, MNT_DETACH)) /* two names of one folder: mounted twice */
            ;
        if (rmdir(path) && errno == ENOTDIR && !stat(path, &st) && !st.st_size)
            unlink(path);
        free(path);
    }
}

/* --- waiting --- */

int place_wait(pid_t child)
{
    sigset_t all;
    siginfo_t info;
    sigfillset(&all);
    for (;;) {
        int sig = sigwaitinfo(&all, &info), status;
        if (sig < 0)
            continue;
        if (sig == SIGTSTP)
            kill(getpid(), SIGSTOP); /* the terminal has stopped the others, too */
        else if (sig != SIGCHLD && info.si_code <= 0)
            kill(child, sig); /* sent to this process alone */
        for (pid_t done; (done = waitpid(-1, &status, WNOHANG)) > 0;)
            if (done == child)
                return status;
    }
}
