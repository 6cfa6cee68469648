/*
 * /proc/self/maps and smaps of the guest (proc(5)): the host's file gives devices, inodes and names, the list of areas
 * the ranges and the protection.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "linux-user/mm-internal.h"

static const char *const kind_names[] = {
    [AREA_HEAP] = "[heap]", [AREA_STACK] = "[stack]", [AREA_VDSO] = "[vdso]", [AREA_SHM] = NULL,
};

/* A line of the host's map. */
struct host_line {
    uint64_t start, end, offset;
    unsigned major, minor;
    uint64_t inode;
    const char *name; /* "": none */
};

static bool parse(char *line, struct host_line *h)
{
    int name = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %x:%x %" SCNu64 " %n", &h->start, &h->end, &h->offset,
               &h->major, &h->minor, &h->inode, &name) < 6 || !name)
        return false;
    h->name = line + name;
    return true;
}

static void print_line(int fd, const struct area *a, const struct host_line *h, uint64_t start, uint64_t end)
{
    char text[128];
    const char *name = kind_names[a->kind] ? kind_names[a->kind] : h->name;
    uint64_t offset = h->inode || a->kind == AREA_SHM ? h->offset + (start - h->start) : 0;
    int n = snprintf(text, sizeof text, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64, start,
                     end, a->prot & PROT_READ ? 'r' : '-', a->prot & PROT_WRITE ? 'w' : '-',
                     a->prot & PROT_EXEC ? 'x' : '-', a->shared ? 's' : 'p', offset, h->major, h->minor, h->inode);
    if (*name)
        dprintf(fd, "%-72s %s\n", text, name);
    else
        dprintf(fd, "%.*s \n", n, text);
}

void mm_print_maps(struct mm *mm, int fd, bool detailed)
{
    FILE *f = fopen(detailed ? "/proc/self/smaps" : "/proc/self/maps", "re");
    char *line = NULL;
    size_t room = 0;
    bool ours = false; /* detailed: the lines that follow belong to the guest */
    if (!f)
        return;
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, 0, mm->limit);
    while (getline(&line, &room, f) > 0) {
        struct host_line h;
        bool attribute = line[0] >= 'A' && line[0] <= 'Z';
        if (attribute && ours)
            dprintf(fd, "%s", line);
        if (attribute || !parse(line, &h))
            continue;
        ours = false;
        for (size_t i = areas_find(&mm->list, h.start); i < mm->list.n && mm->list.v[i].start < h.end; i++) {
            const struct area *a = &mm->list.v[i];
            print_line(fd, a, &h, a->start > h.start ? a->start : h.start, a->end < h.end ? a->end : h.end);
            ours = true;
        }
    }
    pthread_mutex_unlock(&mm->op);
    free(line);
    fclose(f);
}
