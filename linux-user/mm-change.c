/*
 * How the guest's address space changes: the host's mapping is made first and then written into the list; what lies in
 * the way is met by taking hold of it; a placement is looked for where neither the guest nor metic has anything.
 */
#include "linux-user/mm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/exec.h"
#include "linux-user/host.h"
#include "linux-user/mm-internal.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

uint32_t mm_host_prot(uint32_t prot)
{
    return (prot & (PROT_READ | PROT_WRITE)) | (prot & PROT_EXEC ? PROT_READ : 0);
}

void mm_begin_change(struct mm *mm, uint64_t start, uint64_t end)
{
    const struct area *a = NULL;
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n && mm->list.v[i].start < end; i++)
        if (mm->list.v[i].prot & PROT_EXEC)
            a = &mm->list.v[i];
    if (!a || !mm->exec)
        return;
    shared_lock_take(&mm->areas_lock);
    mm->changing_start = start;
    mm->changing_end = end;
    mm_files_forget(mm, start, end);
    shared_lock_give(&mm->areas_lock);
    exec_invalidate(mm->exec, start, end);
}

void mm_overwritten(struct mm *mm, uint64_t start, uint64_t end)
{
    shared_lock_take(&mm->areas_lock);
    mm_files_forget(mm, ALIGN_DOWN(start, (uint64_t)PAGE), ALIGN_UP(end, (uint64_t)PAGE));
    shared_lock_give(&mm->areas_lock);
    exec_invalidate(mm->exec, start, end);
}

static void log_change(const char *what, uint64_t start, uint64_t end, int prot)
{
    if (UNLIKELY(log_on(LOG_PAGE)))
        log_printf("%s 0x%llx-0x%llx %c%c%c\n", what, (unsigned long long)start, (unsigned long long)end,
                   prot & PROT_READ ? 'r' : '-', prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-');
}

void mm_end_change(struct mm *mm, const struct area *a, uint64_t start, uint64_t end)
{
    shared_lock_take(&mm->areas_lock);
    if (a)
        areas_set(&mm->list, a);
    else
        areas_clear(&mm->list, start, end);
    mm->changing_start = mm->changing_end = 0;
    shared_lock_give(&mm->areas_lock);
    log_change(a ? "map  " : "unmap", start, end, a ? a->prot : 0);
}

void mm_forget(struct mm *mm, uint64_t start, uint64_t end)
{
    shared_lock_take(&mm->areas_lock);
    areas_clear(&mm->list, start, end);
    shared_lock_give(&mm->areas_lock);
    log_change("unmap", start, end, 0);
}

void mm_cancel_change(struct mm *mm)
{
    shared_lock_take(&mm->areas_lock);
    mm->changing_start = mm->changing_end = 0;
    shared_lock_give(&mm->areas_lock);
}

bool mm_reserve(struct mm *mm, unsigned changes)
{
    shared_lock_take(&mm->areas_lock);
    bool ok = areas_reserve(&mm->list, changes);
    shared_lock_give(&mm->areas_lock);
    return ok;
}

enum { MAPPINGS_LEFT = 512, PER_CHANGE = 2, USUAL_MAPPINGS = 65530 };

static uint64_t count_lines(const char *path)
{
    char buf[4096];
    uint64_t n = 0;
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, buf, sizeof buf)) > 0)
        for (const char *p = buf, *end = buf + got; (p = memchr(p, '\n', (size_t)(end - p))); p++)
            n++;
    if (fd >= 0)
        close(fd);
    return n;
}

static uint64_t mappings_allowed(void)
{
    unsigned long long n = USUAL_MAPPINGS;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    if (f && fscanf(f, "%llu", &n) != 1)
        n = USUAL_MAPPINGS;
    if (f)
        fclose(f);
    return n;
}

bool mm_has_room(struct mm *mm)
{
    if (LIKELY(mm->uncounted)) {
        mm->uncounted--;
        return true;
    }
    uint64_t used = count_lines("/proc/self/maps") + MAPPINGS_LEFT, allowed = mappings_allowed();
    if (used + PER_CHANGE > allowed)
        return false;
    mm->uncounted = (unsigned)((allowed - used) / PER_CHANGE) - 1;
    return true;
}

int64_t mm_host_map(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    return host_call(SYS_mmap, addr, len, mm_host_prot(prot), flags, fd, offset);
}

int64_t mm_host_unmap(uint64_t addr, uint64_t len)
{
    return host_call(SYS_munmap, addr, len);
}

int64_t mm_host_place(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    int64_t at = mm_host_map(addr, len, prot, flags | MAP_FIXED_NOREPLACE, fd, offset);
    if (at >= 0 && (uint64_t)at != addr) { /* a kernel before 4.17 takes the address as a hint */
        mm_host_unmap((uint64_t)at, len);
        return -EEXIST;
    }
    return at;
}

static int64_t hold(uint64_t addr, uint64_t len)
{
    return mm_host_place(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

bool mm_next_hole(const struct mm *mm, uint64_t *at, uint64_t end, uint64_t *start, uint64_t *stop)
{
    while (*at < end) {
        const struct area *a = areas_first(&mm->list, *at, end);
        *start = *at;
        *stop = a ? a->start : end;
        *at = a ? a->end : end;
        if (*start < *stop)
            return true;
    }
    return false;
}

void mm_release_holes(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t at = start, from, to;
    while (mm_next_hole(mm, &at, end, &from, &to))
        mm_host_unmap(from, to - from);
}

int64_t mm_hold_holes(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t at = start, from, to;
    while (mm_next_hole(mm, &at, end, &from, &to)) {
        int64_t r = hold(from, to - from);
        if (r < 0) {
            mm_release_holes(mm, start, from);
            return r == -EEXIST ? -ENOMEM : r;
        }
    }
    return 0;
}

/* --- areas that grow --- */

enum { GROWTH_STEP = 256 }; /* pages asked about at once */

/*
 * MAP_GROWSDOWN is the host kernel's work, so that its own accesses make a stack grow, too. The list learns of it when
 * somebody asks about the place: the pages below the area's start that are mapped now.
 */
static void learn_growth_of(struct mm *mm, size_t i)
{
    struct area grown = mm->list.v[i];
    uint64_t lowest = i ? mm->list.v[i - 1].end : MM_LOWEST, start = grown.start;
    unsigned char resident[GROWTH_STEP];
    for (uint64_t pages = 1; start - lowest >= pages * PAGE;) {
        if (host_call(SYS_mincore, start - pages * PAGE, pages * PAGE, resident) == 0) {
            start -= pages * PAGE;
            pages = pages < GROWTH_STEP ? 2 * pages : pages;
        } else if (pages == 1) {
            break;
        } else {
            pages /= 2;
        }
    }
    if (start == grown.start || !mm_reserve(mm, 1))
        return;
    grown.end = grown.start;
    grown.start = start;
    shared_lock_take(&mm->areas_lock);
    areas_set(&mm->list, &grown);
    shared_lock_give(&mm->areas_lock);
    log_change("grown", grown.start, grown.end, grown.prot);
}

void mm_learn_growth(struct mm *mm, uint64_t start, uint64_t end)
{
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n; i++) {
        uint64_t at = mm->list.v[i].start;
        if (mm->list.v[i].grows && at > start)
            learn_growth_of(mm, i);
        if (at >= end)
            break;
    }
}

/* --- placement --- */

/* Where something of metic's own was met: reads the host's map anew. */
static void learn_foreign(struct mm *mm)
{
    FILE *f = fopen("/proc/thread-self/maps", "re");
    unsigned long long start, end;
    char line[512];
    mm->foreign.n = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%llx-%llx", &start, &end) != 2 || start >= mm->limit)
            continue;
        uint64_t at = start, from, to;
        while (mm_next_hole(mm, &at, end, &from, &to))
            if (areas_reserve(&mm->foreign, 1))
                areas_set(&mm->foreign, &(struct area){from, to});
    }
    if (f)
        fclose(f);
}

/* The highest free range below `high` that keeps out of the room of brk and of what is known to be metic's own. */
static uint64_t candidate(const struct mm *mm, uint64_t high, uint64_t len, uint64_t align)
{
    for (;;) {
        uint64_t at = areas_gap(&mm->list, MM_LOWEST, high, len, align);
        if (!at)
            return 0;
        const struct area *other = areas_first(&mm->foreign, at, at + len);
        const struct area *above = areas_first(&mm->list, at + len, at + len + MM_STACK_GAP);
        if (other)
            high = other->start;
        else if (above && above->grows && above->start > MM_STACK_GAP)
            high = above->start - MM_STACK_GAP;
        else if (at < mm->brk_start + mm->brk_room && at + len > mm->brk_start)
            high = mm->brk_start;
        else
            return at;
    }
}

int64_t mm_place(struct mm *mm, uint64_t len, uint64_t align, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    const uint64_t tops[] = {mm->top, mm->limit};
    for (unsigned i = 0; i < ARRAY_SIZE(tops); i++) {
        uint64_t high = tops[i], at;
        while ((at = candidate(mm, high, len, align))) {
            int64_t r = mm_host_place(at, len, prot, flags, fd, offset);
            if (r != -EEXIST)
                return r;
            learn_foreign(mm);
            if (!areas_first(&mm->foreign, at, at + len))
                high = at; /* it has gone meanwhile, or there is no /proc */
        }
    }
    return -ENOMEM;
}

int64_t mm_place_by_host(struct mm *mm, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    int64_t at = mm_host_map(0, len, prot, flags, fd, offset);
    if (at < 0 || (uint64_t)at + len <= mm->limit)
        return at;
    /* Beyond what the guest can reach; of the places that the host chooses these are the ones to be asked for. */
    mm_host_unmap((uint64_t)at, len);
    return flags & MAP_32BIT ? -ENOMEM : mm_place_by_host(mm, len, prot, flags | MAP_32BIT, fd, offset);
}

/* --- what a change has to ask --- */

bool mm_is_sealed(const struct mm *mm, uint64_t start, uint64_t end)
{
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n && mm->list.v[i].start < end; i++)
        if (mm->list.v[i].sealed)
            return true;
    return false;
}

bool mm_in_space(const struct mm *mm, uint64_t addr, uint64_t len)
{
    return len <= mm->limit && addr <= mm->limit - len;
}

void mm_set_limits(struct mm *mm, uint64_t bytes, uint64_t data_bytes)
{
    shared_lock_take(&mm->op);
    mm->max_bytes = bytes;
    mm->max_data = data_bytes;
    shared_lock_give(&mm->op);
}

/* What RLIMIT_DATA counts: writable, private, no stack. */
static bool is_data(const struct area *a) { return a->prot & PROT_WRITE && !a->shared && !a->grows; }

static uint64_t data_bytes(const struct mm *mm)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < mm->list.n; i++)
        if (is_data(&mm->list.v[i]))
            sum += mm->list.v[i].end - mm->list.v[i].start;
    return sum;
}

static bool fits(uint64_t now, uint64_t more, uint64_t max) { return now <= max && more <= max - now; }

bool mm_may_grow(const struct mm *mm, uint64_t bytes, const struct area *a)
{
    if (mm->max_bytes != UINT64_MAX && !fits(areas_bytes(&mm->list, 0, mm->limit), bytes, mm->max_bytes))
        return false;
    return mm->max_data == UINT64_MAX || !is_data(a) || fits(data_bytes(mm), bytes, mm->max_data);
}

bool mm_may_become(const struct mm *mm, const struct area *now, const struct area *a)
{
    return mm->max_data == UINT64_MAX || !is_data(a) || is_data(now) ||
           fits(data_bytes(mm), a->end - a->start, mm->max_data);
}
