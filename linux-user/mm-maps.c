/*
 * The guest's mappings with what the host knows of them, and /proc/self/maps and smaps (proc(5)) made of that: the
 * host's file gives devices, inodes, names and counts, the list of areas the ranges and the protection.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux-user/mm-internal.h"

static const char *const kind_names[] = {
    [AREA_HEAP] = "[heap]", [AREA_STACK] = "[stack]", [AREA_VDSO] = "[vdso]", [AREA_SHM] = NULL,
};

/* A line of the host's map, and in smaps the lines behind it. */
struct host_line {
    uint64_t start, end, offset;
    unsigned major, minor;
    uint64_t inode;
    char *name; /* "": none */
    char *attributes;
    size_t used, room;
};

static bool parse(char *line, struct host_line *h)
{
    int name = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %x:%x %" SCNu64 " %n", &h->start, &h->end, &h->offset,
               &h->major, &h->minor, &h->inode, &name) < 6 || !name)
        return false;
    free(h->name);
    h->name = strdup(line + name);
    h->used = 0;
    return h->name != NULL;
}

static void add_attribute(struct host_line *h, const char *line)
{
    size_t n = strlen(line) + 1;
    if (h->used + n > h->room) {
        size_t room = 2 * (h->used + n);
        char *bigger = realloc(h->attributes, room);
        if (!bigger)
            return;
        h->attributes = bigger;
        h->room = room;
    }
    memcpy(h->attributes + h->used, line, n);
    h->used += n - 1;
}

/* Bytes that the line of the attribute ("Rss:", in kB) tells; 0: no such line. */
static uint64_t attribute_bytes(const struct host_line *h, const char *word)
{
    const char *line = h->used ? strstr(h->attributes, word) : NULL;
    return line ? strtoull(line + strlen(word), NULL, 10) << 10 : 0;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), e = strlen(end);
    return n >= e && !strcmp(s + n - e, end);
}

/* The guest's areas in the line. */
static void each_in_line(const struct area_list *list, const struct host_line *h, mapping_fn *fn, void *opaque)
{
    const char *flags = h->used ? strstr(h->attributes, "VmFlags:") : NULL;
    struct mapping m = {
        .major = h->major,
        .minor = h->minor,
        .inode = h->inode,
        .deleted = ends_with(h->name, " (deleted)"),
        .attributes = h->used ? h->attributes : "",
        .resident = attribute_bytes(h, "\nRss:") + attribute_bytes(h, "\nSwap:"),
        .anonymous = attribute_bytes(h, "\nAnonymous:") + attribute_bytes(h, "\nSwap:"),
        .dont_dump = flags && strstr(flags, " dd"),
    };
    for (size_t i = areas_find(list, h->start); i < list->n && list->v[i].start < h->end; i++) {
        m.area = list->v[i];
        m.area.start = m.area.start > h->start ? m.area.start : h->start;
        m.area.end = m.area.end < h->end ? m.area.end : h->end;
        m.offset = h->inode || m.area.kind == AREA_SHM ? h->offset + (m.area.start - h->start) : 0;
        m.name = kind_names[m.area.kind] ? kind_names[m.area.kind] : h->name;
        fn(opaque, &m);
    }
}

/* f: maps or smaps of the host's process that has the areas. */
static void each_in_file(const struct area_list *list, FILE *f, mapping_fn *fn, void *opaque)
{
    struct host_line h = {.name = NULL};
    char *line = NULL;
    size_t room = 0;
    bool have = false;
    while (getline(&line, &room, f) > 0) {
        if (line[0] >= 'A' && line[0] <= 'Z') {
            add_attribute(&h, line);
            continue;
        }
        if (have)
            each_in_line(list, &h, fn, opaque);
        have = parse(line, &h);
    }
    if (have)
        each_in_line(list, &h, fn, opaque);
    free(h.name);
    free(h.attributes);
    free(line);
}

void mm_each_mapping(struct mm *mm, bool detailed, mapping_fn *fn, void *opaque)
{
    FILE *f = fopen(detailed ? "/proc/thread-self/smaps" : "/proc/thread-self/maps", "re");
    if (!f)
        return;
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, 0, mm->limit);
    each_in_file(&mm->list, f, fn, opaque);
    shared_lock_give(&mm->op);
    fclose(f);
}

static void print_mapping(void *opaque, const struct mapping *m)
{
    int fd = *(const int *)opaque;
    const struct area *a = &m->area;
    char text[128];
    snprintf(text, sizeof text, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64, a->start,
             a->end, a->prot & PROT_READ ? 'r' : '-', a->prot & PROT_WRITE ? 'w' : '-',
             a->prot & PROT_EXEC ? 'x' : '-', a->shared ? 's' : 'p', m->offset, m->major, m->minor, m->inode);
    if (*m->name)
        dprintf(fd, "%-72s %s\n", text, m->name);
    else
        dprintf(fd, "%s \n", text);
    if (!*m->attributes)
        return;
    dprintf(fd, "Size:           %8" PRIu64 " kB\n", (a->end - a->start) >> 10);
    const char *size = strstr(m->attributes, "Size:"), *rest = size == m->attributes ? strchr(size, '\n') : NULL;
    dprintf(fd, "%s", rest ? rest + 1 : m->attributes);
}

void mm_print_maps(struct mm *mm, int fd, bool detailed)
{
    mm_each_mapping(mm, detailed, print_mapping, &fd);
}

void areas_print_maps(const struct area_list *list, int host_maps, int fd)
{
    int copy = dup(host_maps);
    FILE *f = copy < 0 ? NULL : fdopen(copy, "r");
    if (f) {
        each_in_file(list, f, print_mapping, &fd);
        fclose(f);
    }
}

bool mm_copy_areas(struct mm *mm, struct area_list *out)
{
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, 0, mm->limit);
    *out = (struct area_list){.v = malloc((mm->list.n + 1) * sizeof *out->v), .n = mm->list.n, .room = mm->list.n + 1};
    if (out->v)
        memcpy(out->v, mm->list.v, mm->list.n * sizeof *out->v);
    shared_lock_give(&mm->op);
    return out->v;
}

const struct area_list *mm_areas(const struct mm *mm)
{
    return &mm->list;
}

uint64_t mm_brk_start(const struct mm *mm)
{
    return mm->brk_start;
}
