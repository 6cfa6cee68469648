/*
 * Views of /proc for guests, made as memory files when they are opened. What was opened decides, not the path that was
 * taken: the host tells the file's true name. See proc(5) for the formats.
 */
#include "linux-user/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/abi.h"
#include "linux-user/guest-process.h"
#include "linux-user/mm.h"
#include "linux-user/procfs-internal.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

static void write_guest(struct task *t, int fd, uint64_t from, uint64_t to)
{
    char buf[4096];
    while (from < to) {
        size_t n = to - from < sizeof buf ? to - from : sizeof buf;
        if (copy_from_guest(t, buf, from, n) || write(fd, buf, n) != (ssize_t)n)
            return;
        from += n;
    }
}

char *procfs_read(int fd)
{
    size_t n = 0, room = 4096;
    char *text = malloc(room);
    while (text) {
        ssize_t got = pread(fd, text + n, room - n - 1, (off_t)n);
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n + 1 < room)
            continue;
        char *more = realloc(text, room *= 2);
        if (!more)
            free(text);
        text = more;
    }
    if (text)
        text[n] = 0;
    return text;
}

/* --- the views --- */

static void view_cmdline(const struct view *v)
{
    const struct process *p = v->t->process;
    write_guest(v->t, v->out, p->arg_start, p->arg_end);
}

static void view_auxv(const struct view *v)
{
    const struct process *p = v->t->process;
    char copy[AUXV_MAX];
    size_t n = p->auxv_end - p->auxv_start;
    if (v->other)
        n = guest_auxv(v->pid, v->other, copy, sizeof copy);
    else if (n > sizeof copy ||
             copy_recoverably(copy, (const void *)(uintptr_t)p->auxv_start, n)) /* perhaps given_auxv */
        return;
    if (write(v->out, copy, n) < 0)
        return;
}

/* A process's dispositions as bits: of all signals whose handler is in [low, high]. */
static uint64_t handled(const struct process *p, uint64_t low, uint64_t high)
{
    uint64_t bits = 0;
    for (int s = 1; s <= LINUX_NSIG; s++)
        if (p->actions.action[s].handler >= low && p->actions.action[s].handler <= high)
            bits |= SIGNAL_BIT(s);
    return bits;
}

/* What status and stat need to know of a process's threads; the caller's own, or another guest's by its memory. */
struct seen {
    struct process *copy; /* of another's, to be freed; NULL: the caller's own */
    const struct process *process;
    unsigned threads; /* the guest's, without the emulator's own */
    bool known;       /* the thread that the file is about is one of them: */
    uint64_t mask;
    unsigned mode, filters;
    bool in_call;
    const struct cpu *cpu; /* in the process's memory */
};

static void see_task(struct seen *s, const struct view *v, const struct task *t)
{
    s->threads++;
    if (t->tid != (v->tid ? v->tid : v->pid))
        return;
    s->known = true;
    s->mask = t->signals.mask;
    s->in_call = t->in_call;
    s->cpu = t->cpu;
    s->mode = (unsigned)t->seccomp.mode;
    s->filters = v->other ? seccomp_remote_count(v->pid, &t->seccomp) : seccomp_count(t);
}

/* False: the other's memory can't be read, or nothing is left for it. */
static bool see(const struct view *v, struct seen *s)
{
    enum { MAX_THREADS = 1 << 16 };
    struct process *own = v->t->process;
    *s = (struct seen){.process = own};
    if (!v->other) {
        pthread_mutex_lock(&own->lock);
        for (const struct task *t = own->tasks; t; t = t->next)
            see_task(s, v, t);
        pthread_mutex_unlock(&own->lock);
        return true;
    }
    s->process = s->copy = malloc(sizeof *s->copy);
    bool ok = s->copy && remote_read(v->pid, s->copy, v->other->process, sizeof *s->copy);
    uint64_t at = ok ? (uintptr_t)s->copy->tasks : 0;
    for (unsigned i = 0; ok && at && i < MAX_THREADS; i++) {
        struct task t;
        ok = remote_read(v->pid, &t, at, sizeof t);
        if (ok)
            see_task(s, v, &t);
        at = (uintptr_t)t.next;
    }
    if (!ok)
        free(s->copy);
    return ok;
}

bool view_threads(const struct view *v, unsigned *threads)
{
    struct seen s;
    if (!see(v, &s))
        return false;
    *threads = s.threads;
    free(s.copy);
    return true;
}

/* Of the line with the name; 0: there is none. */
static uint64_t number_in(const char *status, const char *name)
{
    const char *line = status ? strstr(status, name) : NULL;
    return line ? strtoull(line + strlen(name) + 1, NULL, 10) : 0;
}

/* The host's lines but for those that tell of the emulator's threads, signal handlers and mappings. */
static void view_status(const struct view *v)
{
    static const char decimal[] = "%" PRIu64 "\n", set[] = "%016" PRIx64 "\n", kilobytes[] = "%8" PRIu64 " kB\n";
    struct seen s;
    char *text = procfs_read(v->host), *save = NULL;
    if (!see(v, &s)) {
        dprintf(v->out, "%s", text ? text : "");
        free(text);
        return;
    }
    struct view_sizes sizes;
    const bool sized = view_sizes(v, &sizes);
    const uint64_t vm = number_in(text, "VmSize"), peak = number_in(text, "VmPeak"), program = number_in(text, "VmExe");
    const uint64_t size = sizes.all >> 10, code = sizes.code >> 10;
    const struct {
        const char *name;
        bool known;
        const char *format;
        uint64_t value;
    } lines[] = {
        {"Threads", true, decimal, s.threads},
        {"SigBlk", s.known, set, s.mask},
        {"Seccomp", s.known, decimal, s.mode},
        {"Seccomp_filters", s.known, decimal, s.filters},
        {"SigIgn", true, set, handled(s.process, (uintptr_t)SIG_IGN, (uintptr_t)SIG_IGN)},
        {"SigCgt", true, set, handled(s.process, (uintptr_t)SIG_IGN + 1, UINT64_MAX)},
        {"VmPeak", sized, kilobytes, size + (peak - vm)},
        {"VmSize", sized, kilobytes, size},
        {"VmData", sized, kilobytes, sizes.data >> 10},
        {"VmStk", sized, kilobytes, sizes.stack >> 10},
        {"VmLib", sized, kilobytes, code > program ? code - program : 0},
    };
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        size_t n = strcspn(line, ":"), i = 0;
        if (!strncmp(line, "x86_", 4)) /* shadow stacks of the host's processor */
            continue;
        while (i < ARRAY_SIZE(lines) && (strncmp(lines[i].name, line, n) || lines[i].name[n] || !lines[i].known))
            i++;
        if (i == ARRAY_SIZE(lines)) {
            dprintf(v->out, "%s\n", line);
        } else {
            dprintf(v->out, "%s:\t", lines[i].name);
            dprintf(v->out, lines[i].format, lines[i].value);
        }
    }
    free(s.copy);
    free(text);
}

/* The host's line, with the fields that hold addresses and signal sets of the program's own replaced. */
static void view_stat(const struct view *v)
{
    enum {
        STATE = 3,
        THREADS = 20,
        VSIZE = 23,
        START_CODE = 26,
        END_CODE,
        START_STACK,
        SIG_IGNORE = 33,
        SIG_CATCH,
        START_DATA = 45,
        END_DATA,
        START_BRK
    };
    struct seen s;
    char *text = procfs_read(v->host), *rest = text ? strrchr(text, ')') : NULL, *save = NULL;
    if (!see(v, &s)) {
        dprintf(v->out, "%s", text ? text : "");
        free(text);
        return;
    }
    const struct process *p = s.process;
    struct view_sizes sizes;
    const bool sized = view_sizes(v, &sizes);
    const struct {
        int field;
        uint64_t value;
    } own[] = {
        {THREADS, s.threads},
        {sized ? VSIZE : 0, sizes.all},
        {START_CODE, p->code_start},
        {END_CODE, p->code_end},
        {START_STACK, p->stack_start},
        {START_DATA, p->data_start},
        {END_DATA, p->data_end},
        {SIG_IGNORE, handled(p, (uintptr_t)SIG_IGN, (uintptr_t)SIG_IGN) & 0x7fffffff},
        {SIG_CATCH, handled(p, (uintptr_t)SIG_IGN + 1, UINT64_MAX) & 0x7fffffff},
        {v->other ? 0 : START_BRK, v->other ? 0 : mm_brk_start(p->mm)},
    };
    if (rest) {
        dprintf(v->out, "%.*s", (int)(rest + 1 - text), text);
        char *word = strtok_r(rest + 1, " \n", &save);
        for (int field = STATE; word; field++, word = strtok_r(NULL, " \n", &save)) {
            size_t i = 0;
            while (i < ARRAY_SIZE(own) && own[i].field != field)
                i++;
            if (i < ARRAY_SIZE(own))
                dprintf(v->out, " %" PRIu64, own[i].value);
            else
                dprintf(v->out, " %s", word);
        }
        dprintf(v->out, "\n");
    }
    free(s.copy);
    free(text);
}

/* The host's "NAME (PID, #threads: N)" counts the emulator's. */
static void view_sched(const struct view *v)
{
    static const char before[] = "#threads: ";
    struct seen s;
    char *text = procfs_read(v->host), *count = text ? strstr(text, before) : NULL,
         *rest = count ? strchr(count, ')') : NULL;
    if (rest && see(v, &s)) {
        dprintf(v->out, "%.*s%u%s", (int)(count + strlen(before) - text), text, s.threads, rest);
        free(s.copy);
    } else {
        dprintf(v->out, "%s", text ? text : "");
    }
    free(text);
}

/* The call that the thread is in, by the guest's number, with its arguments, stack pointer and pc. */
static void print_call(const struct view *v, const struct cpu *cpu)
{
    uint64_t a[6];
    const struct linux_abi *abi = v->t->abi;
    dprintf(v->out, "%" PRIu64, abi->syscall_args(cpu, a));
    for (unsigned i = 0; i < ARRAY_SIZE(a); i++)
        dprintf(v->out, " 0x%" PRIx64, a[i]);
    dprintf(v->out, " 0x%" PRIx64 " 0x%" PRIx64 "\n", abi->stack_pointer(cpu), cpu->pc);
}

static void view_syscall(const struct view *v)
{
    const struct target *target = v->t->abi->target;
    struct seen s;
    char *text = procfs_read(v->host);
    bool seen = (!v->other || v->other->machine == target->elf_machine) && see(v, &s);
    if (!seen || !text || !*text) { /* not to be told */
        dprintf(v->out, "%s", text ? text : "");
    } else if (!s.known || !s.in_call) {
        dprintf(v->out, "running\n");
    } else if (!v->other) {
        print_call(v, s.cpu);
    } else {
        struct cpu *cpu = aligned_alloc(64, ALIGN_UP(target->state_size, (size_t)64));
        if (cpu && remote_read(v->pid, cpu, (uintptr_t)s.cpu, target->state_size))
            print_call(v, cpu);
        free(cpu);
    }
    if (seen)
        free(s.copy);
    free(text);
}

static void view_cpuinfo(const struct view *v)
{
    v->t->abi->print_cpuinfo(v->out, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
}

static void view_arch(const struct view *v) { dprintf(v->out, "%s\n", v->t->abi->uts_machine); }

static void view_release(const struct view *v)
{
    char *text = procfs_read(v->host);
    const char *release = v->t->process->uname_release;
    dprintf(v->out, release ? "%s\n" : "%s", release ? release : text ? text : "");
    free(text);
}

/* The limits that are kept for the guest stand as it has set them. */
static void view_limits(const struct view *v)
{
    static const struct {
        const char *line;
        unsigned resource;
    } lines[] = {{"Max address space", RLIMIT_AS}, {"Max data size", RLIMIT_DATA}, {"Max stack size", RLIMIT_STACK}};
    char *text = procfs_read(v->host), *save = NULL;
    struct process *copy = v->other ? malloc(sizeof *copy) : NULL;
    const bool known = !v->other || (copy && remote_read(v->pid, copy, v->other->process, sizeof *copy));
    struct process_limits limits = known ? (copy ? copy : v->t->process)->limits : (struct process_limits){0};
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        unsigned i = 0;
        while (i < ARRAY_SIZE(lines) && strncmp(line, lines[i].line, strlen(lines[i].line)))
            i++;
        const struct process_limit *l = known && i < ARRAY_SIZE(lines) ? limit_kept(&limits, lines[i].resource) : NULL;
        if (!l) {
            dprintf(v->out, "%s\n", line);
            continue;
        }
        dprintf(v->out, "%-25s ", lines[i].line);
        for (unsigned k = 0; k < 2; k++) {
            uint64_t bytes = k ? l->max : l->cur;
            if (bytes == UINT64_MAX)
                dprintf(v->out, "%-20s ", "unlimited");
            else
                dprintf(v->out, "%-20" PRIu64 " ", bytes);
        }
        dprintf(v->out, "%-10s\n", "bytes");
    }
    free(copy);
    free(text);
}

/* How a descriptor was opened, in the guest's flags. */
static void view_fdinfo(const struct view *v)
{
    char *text = procfs_read(v->host), *flags = text ? strstr(text, "flags:\t") : NULL, *rest;
    if (flags) {
        flags += strlen("flags:\t");
        uint64_t host = strtoull(flags, &rest, 8);
        dprintf(v->out, "%.*s0%" PRIo64 "%s", (int)(flags - text), text,
                flags_to_guest(v->t->abi->syscalls, SET_open, host), rest);
    } else {
        dprintf(v->out, "%s", text ? text : "");
    }
    free(text);
}

/* --- which file --- */

/* Of the machine; of the caller's process; of any guest process; of any process. */
enum scope { OF_MACHINE, OF_SELF, OF_GUESTS, OF_ALL };

static const struct {
    const char *name; /* in /proc, or in a process's or thread's folder; with a slash behind it: all files in that */
    enum scope scope;
    void (*write)(const struct view *v);
} files[] = {
    {"maps", OF_GUESTS, view_maps},
    {"smaps", OF_GUESTS, view_smaps},
    {"smaps_rollup", OF_GUESTS, view_smaps_rollup},
    {"numa_maps", OF_GUESTS, view_numa_maps},
    {"statm", OF_GUESTS, view_statm},
    {"syscall", OF_GUESTS, view_syscall},
    {"sched", OF_GUESTS, view_sched},
    {"cmdline", OF_SELF, view_cmdline},
    {"auxv", OF_GUESTS, view_auxv},
    {"stat", OF_GUESTS, view_stat},
    {"status", OF_GUESTS, view_status},
    {"limits", OF_GUESTS, view_limits},
    {"fdinfo/", OF_ALL, view_fdinfo},
    {"cpuinfo", OF_MACHINE, view_cpuinfo},
    {"sys/kernel/arch", OF_MACHINE, view_arch},
    {"sys/kernel/osrelease", OF_MACHINE, view_release},
};

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_view(unsigned i, const char *name)
{
    size_t n = strlen(files[i].name);
    return files[i].name[n - 1] == '/' ? !strncmp(files[i].name, name, n) : !strcmp(files[i].name, name);
}

bool procfs_interesting(const char *path)
{
    const char *last = last_component(path);
    if (!strcmp(last, "mem"))
        return true;
    for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
        if (!strcmp(last, last_component(files[i].name)))
            return true;
    return false;
}

bool procfs_is(int fd)
{
    struct statfs fs;
    return !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

/* What is behind the name of /proc itself, wherever that is mounted: a folder with the first inode there is. */
static char *below_proc(int fd, char *path)
{
    enum { PROC_ROOT_INO = 1 };
    static const char usual[] = "/proc/";
    struct stat file, root;
    if (!strncmp(path, usual, strlen(usual)))
        return path + strlen(usual);
    if (fstat(fd, &file))
        return NULL;
    for (char *p = path; (p = strchr(p + 1, '/'));) {
        *p = 0;
        bool found = !stat(path, &root) && root.st_ino == PROC_ROOT_INO && root.st_dev == file.st_dev;
        *p = '/';
        if (found)
            return p + 1;
    }
    return NULL;
}

bool procfs_name(int fd, char name[PATH_MAX])
{
    char link[40];
    if (!procfs_is(fd))
        return false;
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    ssize_t n = readlink(link, name, PATH_MAX - 1);
    if (n <= 0)
        return false;
    name[n] = 0;
    char *below = below_proc(fd, name);
    if (below)
        memmove(name, below, strlen(below) + 1);
    return below;
}

bool procfs_take_process(const char **name, pid_t *pid, pid_t *tid)
{
    char *end;
    *pid = *tid = 0;
    if (**name < '1' || **name > '9')
        return false;
    *pid = (pid_t)strtol(*name, &end, 10);
    *name = *end == '/' ? end + 1 : end;
    if (!strncmp(*name, "task/", 5)) {
        *tid = (pid_t)strtol(*name + 5, &end, 10);
        *name = *end == '/' ? end + 1 : end;
    }
    return true;
}

bool view_process(struct view *v, struct guest_record *record)
{
    if (v->pid != getpid() && guest_record_read(v->pid, record))
        v->other = record;
    return v->pid == getpid() || v->other;
}

/*
 * The same of the file that was opened by `path`, also where the host, an emulator itself, gave a view of its own for
 * it.
 */
static bool name_of_opened(int fd, int dirfd, const char *path, char name[PATH_MAX])
{
    struct statfs fs;
    if (procfs_is(fd))
        return procfs_name(fd, name);
    if (fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC)
        return false;
    int file = openat(dirfd, path, O_PATH | O_CLOEXEC);
    bool found = file >= 0 && procfs_name(file, name);
    if (file >= 0)
        close(file);
    return found;
}

/* The file or folder behind the process's number is the caller's own: a mount may be of other namespaces' numbers. */
static bool is_own(int fd, pid_t pid, const char *rest)
{
    char path[PATH_MAX + 16];
    struct stat file, own;
    if (pid == getpid())
        return true;
    snprintf(path, sizeof path, "/proc/self/%s", rest);
    return !fstat(fd, &file) && !lstat(path, &own) && file.st_ino == own.st_ino && file.st_dev == own.st_dev;
}

/* The view for an open file of that name: v is filled, but for v->out; false: it stays the host's. */
static bool find_view(struct view *v, const char *path, struct guest_record *record, unsigned *found)
{
    const char *name = path;
    const bool of_process = procfs_take_process(&name, &v->pid, &v->tid);
    unsigned i = 0;
    while (i < ARRAY_SIZE(files) && ((files[i].scope == OF_MACHINE) == of_process || !is_view(i, name)))
        i++;
    if (of_process && !strcmp(name, "mem") && (fcntl(v->host, F_GETFL) & O_ACCMODE) != O_RDONLY)
        watch_memory_files(v->t);
    if (i == ARRAY_SIZE(files) || (fcntl(v->host, F_GETFL) & O_ACCMODE) == O_WRONLY)
        return false;
    *found = i;
    if (!of_process || files[i].scope == OF_ALL)
        return true;
    char rest[PATH_MAX];
    if (v->tid)
        snprintf(rest, sizeof rest, "task/%d/%s", v->tid, name);
    if (is_own(v->host, v->pid, v->tid ? rest : name)) {
        v->pid = getpid();
        return true;
    }
    if (files[i].scope != OF_GUESTS || !guest_record_read(v->pid, record))
        return false;
    v->other = record;
    return true;
}

enum { VIEW_MODE = S_IRUSR | S_IRGRP | S_IROTH };

/* The finished view in the way that the host's file at fd was opened, which it replaces. */
static int64_t replace(int fd, int out, bool close_on_exec)
{
    char link[40];
    fchmod(out, VIEW_MODE);
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", out);
    int again = open(link, (fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
    int ret = dup3(again < 0 ? out : again, fd, close_on_exec ? O_CLOEXEC : 0);
    if (again >= 0)
        close(again);
    close(out);
    return ret < 0 ? -errno : ret;
}

int64_t procfs_opened(struct task *t, int fd, int dirfd, const char *host_path, bool close_on_exec)
{
    char path[PATH_MAX], own_name[PATH_MAX + 8];
    struct guest_record record;
    struct view v = {.t = t, .host = fd};
    unsigned i;
    if (!name_of_opened(fd, dirfd, host_path, path) || !find_view(&v, path, &record, &i))
        return fd;
    snprintf(own_name, sizeof own_name, "%s%s", VIEW_NAME, path);
    v.out = memfd_create(own_name, MFD_CLOEXEC);
    if (v.out < 0)
        return fd;
    files[i].write(&v);
    lseek(v.out, 0, SEEK_SET);
    int64_t ret = replace(fd, v.out, close_on_exec);
    if (ret >= 0)
        procfs_note_view(t->process, fd);
    return ret;
}

/* The descriptor itself is not to be written. */
static int open_to_write(int fd)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    fchmod(fd, S_IRUSR | S_IWUSR);
    int out = open(link, O_WRONLY | O_CLOEXEC);
    fchmod(fd, VIEW_MODE);
    return out;
}

void procfs_rewrite(struct task *t, int fd, const char *path)
{
    char host[PATH_MAX + 8];
    struct guest_record record;
    struct view v = {.t = t, .out = open_to_write(fd)};
    unsigned i;
    snprintf(host, sizeof host, "/proc/%s", path);
    v.host = open(host, O_RDONLY | O_CLOEXEC);
    /* else the process is no more */
    if (v.host >= 0 && v.out >= 0 && find_view(&v, path, &record, &i) && !ftruncate(v.out, 0))
        files[i].write(&v);
    if (v.host >= 0)
        close(v.host);
    if (v.out >= 0)
        close(v.out);
}

/*
 * The program's path of the caller's process or of another guest's. One without a name is found by a descriptor of the
 * process that executes it.
 */
static bool exe_of(struct task *t, pid_t pid, bool own, char out[PATH_MAX])
{
    static const char by_fd[] = "/proc/thread-self/fd/";
    struct guest_record record;
    if (own) {
        strcpy(out, t->process->exe_path);
        return true;
    }
    if (!guest_record_read(pid, &record) || !guest_exe_path(pid, &record, out))
        return false;
    if (!strncmp(out, by_fd, strlen(by_fd)))
        snprintf(out, PATH_MAX, "/proc/%d/fd/%d", pid, atoi(out + strlen(by_fd)));
    return true;
}

void procfs_exe_name(char path[PATH_MAX])
{
    static const char gone[] = " (deleted)";
    char name[PATH_MAX];
    ssize_t n = strncmp(path, "/proc/", 6) ? -1 : readlink(path, name, sizeof name - 1);
    if (n > 0) {
        memcpy(path, name, (size_t)n);
        path[n] = 0;
    } else if (access(path, F_OK) && errno == ENOENT && strlen(path) + sizeof gone <= PATH_MAX) {
        strcat(path, gone);
    }
}

bool procfs_exe(struct task *t, int dirfd, const char *path, char out[PATH_MAX])
{
    char folder[PATH_MAX], name[PATH_MAX];
    const char *last = last_component(path), *rest = name;
    pid_t pid = 0, tid = 0;
    if (last[0] != 'e' || strcmp(last, "exe"))
        return false;
    snprintf(folder, sizeof folder, "%.*s", (int)(last - path), path);
    int fd = openat(dirfd, *folder ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_process = procfs_name(fd, name) && procfs_take_process(&rest, &pid, &tid) && !*rest;
    if (tid)
        snprintf(name, sizeof name, "task/%d", tid);
    bool own = is_process && is_own(fd, pid, tid ? name : "");
    close(fd);
    return is_process && exe_of(t, pid, own, out);
}

/* The link itself, opened with O_PATH. */
bool procfs_exe_opened(struct task *t, int fd, char out[PATH_MAX])
{
    char name[PATH_MAX], folder[PATH_MAX];
    const char *rest = name;
    pid_t pid = 0, tid = 0;
    if (!procfs_name(fd, name) || !procfs_take_process(&rest, &pid, &tid) || strcmp(rest, "exe"))
        return false;
    snprintf(folder, sizeof folder, "task/%d/exe", tid);
    return exe_of(t, pid, is_own(fd, pid, tid ? folder : "exe"), out);
}
