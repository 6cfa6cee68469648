/*
 * Folders of /proc as guests read them: a process's task/ without the emulator's own threads, its map_files/ without
 * the emulator's mappings. See proc(5), getdents64(2).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "linux-user/areas.h"
#include "linux-user/dispatch.h"
#include "linux-user/guest-process.h"
#include "linux-user/host.h"
#include "linux-user/procfs-internal.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

/* struct linux_dirent64 */
struct entry {
    uint64_t ino;
    int64_t off;
    uint16_t length; /* of the whole */
    uint8_t type;
    char name[];
};

static bool own_thread(struct process *p, pid_t tid)
{
    bool found = tid == getpid();
    pthread_mutex_lock(&p->lock);
    for (const struct task *t = p->tasks; t && !found; t = t->next)
        found = t->tid == tid;
    pthread_mutex_unlock(&p->lock);
    return found;
}

static bool shows_thread(const struct view *v, const struct area_list *areas, const char *name)
{
    pid_t tid = (pid_t)atoi(name);
    return v->other ? guest_has_thread(v->pid, v->other, tid) : own_thread(v->t->process, tid);
}

static bool shows_mapping(const struct view *v, const struct area_list *areas, const char *name)
{
    uint64_t at = strtoull(name, NULL, 16);
    return areas_first(areas, at, at + 1);
}

typedef bool shows_fn(const struct view *v, const struct area_list *areas, const char *name);

/* Bytes of those that stay, which move together. */
static size_t keep(char *entries, size_t n, const struct view *v, const struct area_list *areas, shows_fn *shows)
{
    size_t kept = 0, length;
    for (size_t at = 0; at < n; at += length) {
        const struct entry *e = (const struct entry *)(entries + at);
        length = e->length;
        if (e->name[0] == '.' || shows(v, areas, e->name)) {
            memmove(entries + kept, e, length);
            kept += length;
        }
    }
    return kept;
}

/* The entries that the host gave are at guest address `at`. Their bytes now, or -errno. */
static int64_t hide(struct task *t, int fd, uint64_t at, int64_t n)
{
    char path[PATH_MAX];
    const char *name = path;
    struct guest_record record;
    struct area_list areas = {0};
    struct view v = {.t = t};
    if (!procfs_name(fd, path) || !procfs_take_process(&name, &v.pid, &v.tid))
        return n;
    bool threads = !strcmp(name, "task"), mappings = !strcmp(name, "map_files");
    if ((!threads && !mappings) || !view_process(&v, &record))
        return n;
    char *entries = malloc((size_t)n);
    if (entries && (threads || view_areas(&v, &areas)) && !copy_from_guest(t, entries, at, (size_t)n)) {
        n = (int64_t)keep(entries, (size_t)n, &v, &areas, threads ? shows_thread : shows_mapping);
        if (copy_to_guest(t, at, entries, (size_t)n))
            n = -EFAULT;
    }
    areas_free(&areas);
    free(entries);
    return n;
}

int64_t sys_getdents64(struct task *t, const uint64_t a[6])
{
    int64_t n;
    do /* nothing left of them is not the folder's end */
        if ((n = host_call(SYS_getdents64, a[0], a[1], a[2])) <= 0)
            return n;
    while (!(n = hide(t, (int)a[0], a[1], n)));
    return n;
}
