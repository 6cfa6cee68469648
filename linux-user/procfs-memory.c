/*
 * Views of /proc that tell of a process's memory (proc(5)): what the host knows of the guest's mappings, without the
 * emulator's. How much of them is resident is told mapping by mapping; the sums of that in statm, stat and status are
 * the host's.
 */
#include "linux-user/procfs-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/areas.h"
#include "linux-user/guest-process.h"
#include "linux-user/task.h"

enum { PAGE = 4096 };

bool view_areas(const struct view *v, struct area_list *out)
{
    return v->other ? guest_areas(v->pid, v->other, out) : mm_copy_areas(v->t->process->mm, out);
}

bool view_sizes(const struct view *v, struct view_sizes *out)
{
    struct area_list areas;
    *out = (struct view_sizes){0};
    if (!view_areas(v, &areas))
        return false;
    for (size_t i = 0; i < areas.n; i++) {
        const struct area *a = &areas.v[i];
        uint64_t n = a->end - a->start;
        bool stack = a->kind == AREA_STACK || a->grows;
        out->all += n;
        if (stack)
            out->stack += n;
        else if (a->prot & PROT_WRITE)
            out->data += a->shared ? 0 : n;
        else if (a->prot & PROT_EXEC)
            out->code += n;
    }
    areas_free(&areas);
    return true;
}

/* --- by line --- */

static void print_maps(const struct view *v, bool detailed)
{
    struct area_list areas;
    if (!v->other) {
        mm_print_maps(v->t->process->mm, v->out, detailed);
    } else if (guest_areas(v->pid, v->other, &areas)) {
        areas_print_maps(&areas, v->host, v->out);
        areas_free(&areas);
    }
}

void view_maps(const struct view *v) { print_maps(v, false); }
void view_smaps(const struct view *v) { print_maps(v, true); }

/* Lines begin with their mapping's address. */
void view_numa_maps(const struct view *v)
{
    struct area_list areas;
    char *text = procfs_read(v->host), *save = NULL;
    bool known = view_areas(v, &areas);
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        uint64_t at = strtoull(line, NULL, 16);
        if (!known || areas_first(&areas, at, at + 1))
            dprintf(v->out, "%s\n", line);
    }
    if (known)
        areas_free(&areas);
    free(text);
}

/* --- sums --- */

/* Sums of the lines "Name:  123 kB" that smaps has behind the guest's mappings. */
enum { MAX_SUMS = 64 };
struct sums {
    struct {
        const char *name; /* n bytes of it */
        size_t n;
        uint64_t kb;
    } of[MAX_SUMS];
    unsigned n;
};

static void add(struct sums *s, const char *line, size_t n, uint64_t kb)
{
    unsigned i = 0;
    while (i < s->n && (s->of[i].n != n || strncmp(s->of[i].name, line, n)))
        i++;
    if (i == MAX_SUMS)
        return;
    if (i == s->n) {
        s->of[i].name = line;
        s->of[i].n = n;
        s->n++;
    }
    s->of[i].kb += kb;
}

static bool is_shared_memory(const char *line)
{
    static const char *const names[] = {" /dev/zero ", " /dev/shm/", " /memfd:", " /SYSV"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (strstr(line, names[i]))
            return true;
    return false;
}

static void sum_up(struct sums *s, char *smaps, const struct area_list *areas)
{
    char *save = NULL;
    bool inside = false, memory = false;
    uint64_t pss = 0;
    for (char *line = strtok_r(smaps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        uint64_t start, end;
        if (*line < 'A' || *line > 'Z') {
            inside = sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && areas_first(areas, start, end);
            memory = is_shared_memory(line);
            continue;
        }
        size_t n = strcspn(line, ":");
        uint64_t kb = strtoull(line + n + 1, NULL, 10);
        if (!inside)
            continue;
        add(s, line, n, kb);
        if (!strncmp(line, "Pss:", 4))
            pss = kb;
        if (!strncmp(line, "Anonymous:", 10)) { /* of which the kernel's sums tell more */
            uint64_t anonymous = kb < pss ? kb : pss;
            add(s, "Pss_Anon", 8, anonymous);
            add(s, "Pss_File", 8, memory ? 0 : pss - anonymous);
            add(s, "Pss_Shmem", 9, memory ? pss - anonymous : 0);
        }
    }
}

/* The host's lines with sums of our own; in front of them from where to where. */
static void print_sums(const struct view *v, char *rollup, const struct sums *s, const struct area_list *areas)
{
    char *save = NULL, *line = strtok_r(rollup, "\n", &save);
    const char *rest = line ? strchr(line, ' ') : NULL;
    if (rest && areas->n)
        dprintf(v->out, "%08" PRIx64 "-%08" PRIx64 "%s\n", areas->v[0].start, areas->v[areas->n - 1].end, rest);
    while ((line = strtok_r(NULL, "\n", &save))) {
        size_t n = strcspn(line, ":");
        unsigned i = 0;
        while (i < s->n && (s->of[i].n != n || strncmp(s->of[i].name, line, n)))
            i++;
        if (i < s->n)
            dprintf(v->out, "%.*s:%*s%8" PRIu64 " kB\n", (int)n, line, (int)(n < 15 ? 15 - n : 0), "", s->of[i].kb);
        else
            dprintf(v->out, "%s\n", line);
    }
}

void view_smaps_rollup(const struct view *v)
{
    struct area_list areas;
    struct sums sums = {.n = 0};
    char path[40], *rollup = procfs_read(v->host);
    snprintf(path, sizeof path, "/proc/%d/smaps", v->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *smaps = fd < 0 ? NULL : procfs_read(fd);
    if (fd >= 0)
        close(fd);
    if (rollup && smaps && *smaps && view_areas(v, &areas)) {
        sum_up(&sums, smaps, &areas);
        print_sums(v, rollup, &sums, &areas);
        areas_free(&areas);
    } else if (rollup) {
        dprintf(v->out, "%s", rollup);
    }
    free(smaps);
    free(rollup);
}

void view_statm(const struct view *v)
{
    uint64_t resident, shared, text;
    struct view_sizes sizes;
    char *host = procfs_read(v->host);
    if (host && view_sizes(v, &sizes) &&
        sscanf(host, "%*u %" SCNu64 " %" SCNu64 " %" SCNu64, &resident, &shared, &text) == 3)
        dprintf(v->out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " 0 %" PRIu64 " 0\n", sizes.all / PAGE, resident,
                shared, text, (sizes.data + sizes.stack) / PAGE);
    else
        dprintf(v->out, "%s", host ? host : "");
    free(host);
}
