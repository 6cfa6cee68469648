/* The guest's view of its own /proc files, made as memory files when they are opened. See proc(5) for the formats. */
#include "linux-user/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/abi.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

static const struct {
    const char *name;
    enum proc_file file;
} own_files[] = {
    {"exe", PROC_EXE},   {"maps", PROC_MAPS}, {"smaps", PROC_SMAPS}, {"cmdline", PROC_CMDLINE},
    {"auxv", PROC_AUXV}, {"stat", PROC_STAT},
};

/* Behind "N/" when the path starts with the number n and a slash; else NULL. */
static const char *skip_number(const char *p, long n)
{
    char *end;
    if (*p < '1' || *p > '9')
        return NULL;
    return strtol(p, &end, 10) == n && *end == '/' ? end + 1 : NULL;
}

static const char *skip_word(const char *p, const char *word)
{
    size_t n = strlen(word);
    return strncmp(p, word, n) ? NULL : p + n;
}

enum proc_file procfs_file(const char *path)
{
    const char *p = skip_word(path, "/proc/"), *own, *task;
    if (!p)
        return PROC_OTHER;
    if (!strcmp(p, "cpuinfo"))
        return PROC_CPUINFO;
    if (!(own = skip_word(p, "self/")) && !(own = skip_word(p, "thread-self/")) && !(own = skip_number(p, getpid())))
        return PROC_OTHER;
    if ((task = skip_word(own, "task/")) && ((task = strchr(task, '/'))))
        own = task + 1;
    for (unsigned i = 0; i < ARRAY_SIZE(own_files); i++)
        if (!strcmp(own, own_files[i].name))
            return own_files[i].file;
    return PROC_OTHER;
}

bool procfs_interesting(const char *path)
{
    const char *last = strrchr(path, '/');
    last = last ? last + 1 : path;
    for (unsigned i = 0; i < ARRAY_SIZE(own_files); i++)
        if (!strcmp(last, own_files[i].name))
            return true;
    return !strcmp(last, "cpuinfo");
}

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

/* The host's line, with the fields that hold addresses of the program's own memory replaced. */
static void write_stat(struct task *t, int fd)
{
    enum { START_CODE = 26, END_CODE, START_STACK, ESP, EIP };
    char line[2048];
    int host = open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = host < 0 ? -1 : read(host, line, sizeof line - 1);
    if (host >= 0)
        close(host);
    if (n <= 0)
        return;
    line[n] = 0;
    char *rest = strrchr(line, ')');
    if (!rest)
        return;
    dprintf(fd, "%.*s", (int)(rest + 1 - line), line);
    char *save, *word = strtok_r(rest + 1, " \n", &save);
    for (int field = 3; word; field++, word = strtok_r(NULL, " \n", &save)) {
        if (field == START_STACK)
            dprintf(fd, " %llu", (unsigned long long)t->process->stack_start);
        else
            dprintf(fd, " %s", field == START_CODE || field == END_CODE || field == ESP || field == EIP ? "0" : word);
    }
    dprintf(fd, "\n");
}

int procfs_open(struct task *t, enum proc_file file, int open_flags)
{
    if ((open_flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    int fd = memfd_create("proc", open_flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0)
        return -errno;
    struct process *p = t->process;
    switch (file) {
    case PROC_MAPS:
    case PROC_SMAPS:
        mm_print_maps(p->mm, fd, file == PROC_SMAPS);
        break;
    case PROC_CMDLINE:
        write_guest(t, fd, p->arg_start, p->arg_end);
        break;
    case PROC_AUXV:
        write_guest(t, fd, p->auxv_start, p->auxv_end);
        break;
    case PROC_STAT:
        write_stat(t, fd);
        break;
    case PROC_CPUINFO:
        t->abi->print_cpuinfo(fd, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
        break;
    default:
        break;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}
