/*
 * The guest's address space: mmap(2) and its relatives at guest base 0. The host does the mapping; the list of areas
 * says which of the host's mappings are the guest's. Metic's own mappings are nobody's business: placements use
 * MAP_FIXED_NOREPLACE, and a range that holds something which is not in the list is occupied.
 *
 * Guest code is read, never executed, so the host's protection has no PROT_EXEC and always PROT_READ where the guest's has
 * PROT_EXEC. AArch64 and RISC-V demand explicit instruction cache maintenance, so translations are dropped only here,
 * when executable memory goes away or loses that right, and when the guest asks for it (EXIT_ICACHE). A guest whose
 * architecture has coherent instruction caches (x86, s390x) needs more: translated pages that are writable would have
 * to be write-protected on the host, a write fault on one dropping its translations.
 */
#include "linux-user/mm.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/exec.h"
#include "host/cpu.h"
#include "linux-user/areas.h"
#include "linux-user/host.h"
#include "linux-user/mm-internal.h"
#include "linux-user/uaccess.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define SYS_MSEAL 462 /* of every architecture */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum {
    PAGE = 4096,
    LOWEST = 0x10000,       /* /proc/sys/vm/mmap_min_addr */
    STACK_GAP = 256 * PAGE, /* free below a stack, as Linux's stack_guard_gap */
    MAP_KIND = MAP_TYPE, /* shared, private, shared and validated */
    KNOWN_PROT = PROT_READ | PROT_WRITE | PROT_EXEC,
    GROWS = PROT_GROWSDOWN,
    STACK_ROOM = 128 << 20, /* for the first stack to grow into, as Linux's MIN_GAP */
    HUGE_SHIFT = 26,        /* MAP_HUGE_SHIFT */
};

struct mm *mm_new(unsigned address_bits, uint64_t seed)
{
    struct mm *mm = calloc(1, sizeof *mm);
    if (!mm)
        return NULL;
    pthread_mutex_init(&mm->op, NULL);
    pthread_mutex_init(&mm->areas_lock, NULL);
    unsigned host_bits = host_address_bits();
    if (address_bits > host_bits)
        address_bits = host_bits;
    mm->limit = (UINT64_C(1) << address_bits) - PAGE;
    mm->max_bytes = mm->max_data = UINT64_MAX;
    mm->opened = -1;
    /* Up to 1/64 of the space is given to chance: two numbers of as many pages. */
    uint64_t pages = UINT64_C(1) << (address_bits - 6 - 12);
    uint64_t r1 = seed * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (pages - 1);
    uint64_t r2 = seed * UINT64_C(0xbf58476d1ce4e5b9) >> 20 & (pages - 1);
    mm->top = ALIGN_DOWN((mm->limit >> 3) * 7, (uint64_t)PAGE) - r1 * PAGE;
    /* Well below a third of the space, where the host puts its own mappings when the stack is unlimited. */
    mm->program_base = ALIGN_DOWN(mm->limit / 6, (uint64_t)PAGE) + r2 * PAGE;
    mm->brk_room = ALIGN_DOWN(mm->limit >> 6, (uint64_t)PAGE);
    return mm;
}

void mm_set_exec(struct mm *mm, struct exec *x)
{
    mm->exec = x;
}

uint64_t mm_program_base(const struct mm *mm)
{
    return mm->program_base;
}

/* --- the translator's view --- */

/*
 * At most one page at a time. The page is touched here, where a fault is expected (a file may have become shorter
 * than its mapping): the translator reads it without care.
 */
static const uint8_t *code_window(void *opaque, uint64_t pc, size_t *avail)
{
    struct mm *mm = opaque;
    pthread_mutex_lock(&mm->areas_lock);
    const struct area *a = areas_first(&mm->list, pc, pc + 1);
    bool ok = a && a->prot & PROT_EXEC && !(pc >= mm->changing_start && pc < mm->changing_end);
    pthread_mutex_unlock(&mm->areas_lock);
    const uint8_t *p = (const uint8_t *)(uintptr_t)pc;
    uint8_t byte;
    if (!ok || copy_recoverably(&byte, p, 1))
        return NULL;
    *avail = PAGE - (pc & (PAGE - 1));
    return p;
}

struct code_reader mm_code_reader(struct mm *mm)
{
    return (struct code_reader){mm, code_window, mm_file_at, mm_files_rest};
}

/* --- changes, all under mm->op --- */

static uint32_t host_prot(uint32_t prot)
{
    return (prot & (PROT_READ | PROT_WRITE)) | (prot & PROT_EXEC ? PROT_READ : 0);
}

/*
 * Before [start, end) loses its contents or the right to be executed: no translation is made from it until the change
 * is recorded, the ones there are end.
 */
static void begin_change(struct mm *mm, uint64_t start, uint64_t end)
{
    const struct area *a = NULL;
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n && mm->list.v[i].start < end; i++)
        if (mm->list.v[i].prot & PROT_EXEC)
            a = &mm->list.v[i];
    if (!a || !mm->exec)
        return;
    pthread_mutex_lock(&mm->areas_lock);
    mm->changing_start = start;
    mm->changing_end = end;
    mm_files_forget(mm, start, end);
    pthread_mutex_unlock(&mm->areas_lock);
    exec_invalidate(mm->exec, start, end);
}

void mm_code_changed(struct mm *mm, uint64_t start, uint64_t end)
{
    pthread_mutex_lock(&mm->op);
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n && mm->list.v[i].start < end; i++) {
        const struct area *a = &mm->list.v[i];
        /* Everything there is (FENCE.I): only what can have been written, which is little of it. */
        if (a->prot & PROT_EXEC && (end < mm->limit || a->prot & PROT_WRITE || a->shared))
            exec_renew(mm->exec, a->start > start ? a->start : start, a->end < end ? a->end : end);
    }
    pthread_mutex_unlock(&mm->op);
}

static void log_change(const char *what, uint64_t start, uint64_t end, int prot)
{
    if (UNLIKELY(log_on(LOG_PAGE)))
        log_printf("%s 0x%llx-0x%llx %c%c%c\n", what, (unsigned long long)start, (unsigned long long)end,
                   prot & PROT_READ ? 'r' : '-', prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-');
}

/* Records the change: a (NULL: nothing is mapped in [start, end) now). */
static void end_change(struct mm *mm, const struct area *a, uint64_t start, uint64_t end)
{
    pthread_mutex_lock(&mm->areas_lock);
    if (a)
        areas_set(&mm->list, a);
    else
        areas_clear(&mm->list, start, end);
    mm->changing_start = mm->changing_end = 0;
    pthread_mutex_unlock(&mm->areas_lock);
    log_change(a ? "map  " : "unmap", start, end, a ? a->prot : 0);
}

/* The change did not happen. */
static void cancel_change(struct mm *mm)
{
    pthread_mutex_lock(&mm->areas_lock);
    mm->changing_start = mm->changing_end = 0;
    pthread_mutex_unlock(&mm->areas_lock);
}

static bool reserve_entries(struct mm *mm, unsigned changes)
{
    pthread_mutex_lock(&mm->areas_lock);
    bool ok = areas_reserve(&mm->list, changes);
    pthread_mutex_unlock(&mm->areas_lock);
    return ok;
}

static int64_t host_mmap(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    return host_call(SYS_mmap, addr, len, host_prot(prot), flags, fd, offset);
}

static int64_t host_munmap(uint64_t addr, uint64_t len)
{
    return host_call(SYS_munmap, addr, len);
}

/* Maps where nothing is. -EEXIST: something of metic's own is there. */
static int64_t host_place(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    int64_t at = host_mmap(addr, len, prot, flags | MAP_FIXED_NOREPLACE, fd, offset);
    if (at >= 0 && (uint64_t)at != addr) { /* a kernel before 4.17 takes the address as a hint */
        host_munmap((uint64_t)at, len);
        return -EEXIST;
    }
    return at;
}

static int64_t hold(uint64_t addr, uint64_t len)
{
    return host_place(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* The next piece of [*at, end) in which no guest area lies: [*start, *stop); false at the end. */
static bool next_free_piece(const struct mm *mm, uint64_t *at, uint64_t end, uint64_t *start, uint64_t *stop)
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

/*
 * Takes hold of everything in [start, end) that is not the guest's yet, so that a MAP_FIXED over the range meets nothing
 * of metic's own: -ENOMEM if there is something.
 */
static void release_holes(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t at = start, from, to;
    while (next_free_piece(mm, &at, end, &from, &to))
        host_munmap(from, to - from);
}

static int64_t hold_holes(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t at = start, from, to;
    while (next_free_piece(mm, &at, end, &from, &to)) {
        int64_t r = hold(from, to - from);
        if (r < 0) {
            release_holes(mm, start, from);
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
    uint64_t lowest = i ? mm->list.v[i - 1].end : LOWEST, start = grown.start;
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
    if (start == grown.start || !reserve_entries(mm, 1))
        return;
    grown.end = grown.start;
    grown.start = start;
    pthread_mutex_lock(&mm->areas_lock);
    areas_set(&mm->list, &grown);
    pthread_mutex_unlock(&mm->areas_lock);
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
    FILE *f = fopen("/proc/self/maps", "re");
    unsigned long long start, end;
    char line[512];
    mm->foreign.n = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%llx-%llx", &start, &end) != 2 || start >= mm->limit)
            continue;
        uint64_t at = start, from, to;
        while (next_free_piece(mm, &at, end, &from, &to))
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
        uint64_t at = areas_gap(&mm->list, LOWEST, high, len, align);
        if (!at)
            return 0;
        const struct area *other = areas_first(&mm->foreign, at, at + len);
        const struct area *above = areas_first(&mm->list, at + len, at + len + STACK_GAP);
        if (other)
            high = other->start;
        else if (above && above->grows && above->start > STACK_GAP)
            high = above->start - STACK_GAP;
        else if (at < mm->brk_start + mm->brk_room && at + len > mm->brk_start)
            high = mm->brk_start;
        else
            return at;
    }
}

/* Finds room and maps there; answers the address. */
static int64_t place(struct mm *mm, uint64_t len, uint64_t align, uint32_t prot, uint32_t flags, int fd,
                     uint64_t offset)
{
    const uint64_t tops[] = {mm->top, mm->limit};
    for (unsigned i = 0; i < ARRAY_SIZE(tops); i++) {
        uint64_t high = tops[i], at;
        while ((at = candidate(mm, high, len, align))) {
            int64_t r = host_place(at, len, prot, flags, fd, offset);
            if (r != -EEXIST)
                return r;
            learn_foreign(mm);
            if (!areas_first(&mm->foreign, at, at + len))
                high = at; /* it has gone meanwhile, or there is no /proc */
        }
    }
    return -ENOMEM;
}

/* Files that let nobody choose the address (io_uring): where the host's kernel wants them. */
static int64_t place_by_host(struct mm *mm, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    int64_t at = host_mmap(0, len, prot, flags, fd, offset);
    if (at < 0 || (uint64_t)at + len <= mm->limit)
        return at;
    host_munmap((uint64_t)at, len);
    return -ENOMEM;
}

static uint64_t alignment(uint32_t flags)
{
    if (!(flags & MAP_HUGETLB))
        return PAGE;
    unsigned shift = flags >> HUGE_SHIFT & 63;
    return UINT64_C(1) << (shift > 12 && shift < 40 ? shift : 21);
}

/* --- mmap --- */

/* mseal forbids to change the range's mappings. */
static bool is_sealed(const struct mm *mm, uint64_t start, uint64_t end)
{
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n && mm->list.v[i].start < end; i++)
        if (mm->list.v[i].sealed)
            return true;
    return false;
}

static bool in_space(const struct mm *mm, uint64_t addr, uint64_t len)
{
    return len <= mm->limit && addr <= mm->limit - len;
}

void mm_set_limits(struct mm *mm, uint64_t bytes, uint64_t data_bytes)
{
    pthread_mutex_lock(&mm->op);
    mm->max_bytes = bytes;
    mm->max_data = data_bytes;
    pthread_mutex_unlock(&mm->op);
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

/* The guest's limits allow so many bytes more like `a`. */
static bool may_grow(const struct mm *mm, uint64_t bytes, const struct area *a)
{
    if (mm->max_bytes != UINT64_MAX && !fits(areas_bytes(&mm->list, 0, mm->limit), bytes, mm->max_bytes))
        return false;
    return mm->max_data == UINT64_MAX || !is_data(a) || fits(data_bytes(mm), bytes, mm->max_data);
}

static int64_t map_fixed(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd,
                         uint64_t offset)
{
    if (!areas_first(&mm->list, addr, addr + len)) {
        int64_t r = host_place(addr, len, prot, flags & ~MAP_FIXED, fd, offset);
        return r == -EEXIST ? -ENOMEM : r;
    }
    if (is_sealed(mm, addr, addr + len))
        return -EPERM;
    int64_t r = hold_holes(mm, addr, addr + len);
    if (r < 0)
        return r;
    begin_change(mm, addr, addr + len);
    r = host_mmap(addr, len, prot, flags, fd, offset);
    if (r < 0) {
        release_holes(mm, addr, addr + len);
        cancel_change(mm);
    }
    return r;
}

/* What a dynamic loader maps first: the beginning of a shared object, with the others to be mapped into it. */
static bool is_library(uint32_t flags, int fd, uint64_t offset)
{
    uint8_t head[EI_NIDENT + 2];
    return fd >= 0 && !offset && (flags & MAP_KIND) == MAP_PRIVATE && !(flags & (MAP_ANONYMOUS | MAP_HUGETLB)) &&
           pread(fd, head, sizeof head, 0) == sizeof head && !memcmp(head, ELFMAG, SELFMAG) &&
           head[EI_NIDENT] + head[EI_NIDENT + 1] == ET_DYN; /* in either byte order */
}

/* Or room for it. */
static bool is_reservation(uint32_t prot, uint32_t flags)
{
    return prot == PROT_NONE && (flags & ~MAP_DENYWRITE) == (MAP_PRIVATE | MAP_ANONYMOUS);
}

static int64_t map(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset,
                   enum area_kind kind)
{
    if (!len || offset & (PAGE - 1))
        return -EINVAL;
    if (len > mm->limit)
        return -ENOMEM;
    len = ALIGN_UP(len, (uint64_t)PAGE);
    if (mm->lock_new)
        flags |= MAP_LOCKED;
    bool noreplace = flags & MAP_FIXED_NOREPLACE, fixed = noreplace || flags & MAP_FIXED;
    if (fixed && addr & (PAGE - 1))
        return -EINVAL;
    if (fixed && !in_space(mm, addr, len))
        return -ENOMEM;
    struct area a = {
        .prot = prot & KNOWN_PROT,
        .shared = (flags & MAP_KIND) != MAP_PRIVATE,
        .grows = flags & MAP_GROWSDOWN,
        .kind = kind,
    };
    if (fixed || addr)
        mm_learn_growth(mm, addr, addr + len);
    if (!may_grow(mm, fixed ? len - areas_bytes(&mm->list, addr, addr + len) : len, &a) || !reserve_entries(mm, 1))
        return -ENOMEM;

    int64_t at = -EEXIST;
    if (noreplace) {
        if (areas_first(&mm->list, addr, addr + len))
            return -EEXIST;
        at = host_place(addr, len, prot, flags & ~MAP_FIXED, fd, offset);
    } else if (fixed) {
        at = map_fixed(mm, addr, len, prot, flags, fd, offset);
    } else {
        addr = ALIGN_DOWN(addr, (uint64_t)PAGE);
        if (addr >= LOWEST && in_space(mm, addr, len) && !areas_first(&mm->list, addr, addr + len))
            at = host_place(addr, len, prot, flags, fd, offset);
        uint64_t stable = 0;
        if (at == -EEXIST && kind == AREA_PLAIN && mm->secret)
            stable = is_reservation(prot, flags)     ? mm_reserved_place(mm, len)
                     : is_library(flags, fd, offset) ? mm_file_place(mm, fd, len)
                                                     : 0;
        if (stable)
            at = host_place(stable, len, prot, flags, fd, offset);
        if (at == -EEXIST)
            at = place(mm, len, alignment(flags), prot, flags, fd, offset);
        if (at == -EINVAL && !(flags & MAP_ANONYMOUS))
            at = place_by_host(mm, len, prot, flags, fd, offset);
    }
    if (at < 0)
        return at;
    a.start = (uint64_t)at;
    a.end = (uint64_t)at + len;
    end_change(mm, &a, a.start, a.end);
    mm_files_note(mm, &a, fd, offset);
    return at;
}

int64_t mm_mmap(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    pthread_mutex_lock(&mm->op);
    int64_t r = map(mm, addr, len, prot, flags, fd, offset, AREA_PLAIN);
    pthread_mutex_unlock(&mm->op);
    return r;
}

int64_t mm_map_kind(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, enum area_kind kind)
{
    pthread_mutex_lock(&mm->op);
    flags |= MAP_PRIVATE | MAP_ANONYMOUS | (kind == AREA_STACK ? MAP_GROWSDOWN : 0);
    int64_t r = map(mm, addr, len, prot, flags, -1, 0, kind);
    if (r >= 0 && kind == AREA_STACK) {
        uint64_t room = (len > STACK_ROOM ? len : STACK_ROOM) + STACK_GAP, end = (uint64_t)r + len;
        if (end > room && end - room < mm->top)
            mm->top = end - room;
    }
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* --- munmap, mprotect, madvise --- */

static int64_t unmap(struct mm *mm, uint64_t start, uint64_t end)
{
    if (is_sealed(mm, start, end))
        return -EPERM;
    if (!reserve_entries(mm, 1))
        return -ENOMEM;
    begin_change(mm, start, end);
    int64_t r = 0;
    for (uint64_t at = start; at < end && r == 0;) {
        const struct area *a = areas_first(&mm->list, at, end);
        if (!a)
            break;
        uint64_t from = a->start > at ? a->start : at, to = a->end < end ? a->end : end;
        r = host_munmap(from, to - from);
        if (r == 0) {
            pthread_mutex_lock(&mm->areas_lock);
            areas_clear(&mm->list, from, to);
            pthread_mutex_unlock(&mm->areas_lock);
            log_change("unmap", from, to, 0);
        }
        at = to;
    }
    cancel_change(mm);
    return r;
}

int64_t mm_munmap(struct mm *mm, uint64_t addr, uint64_t len)
{
    if (addr & (PAGE - 1) || !len || !in_space(mm, addr, len))
        return -EINVAL;
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, addr, addr + len);
    int64_t r = unmap(mm, addr, addr + ALIGN_UP(len, (uint64_t)PAGE));
    pthread_mutex_unlock(&mm->op);
    return r;
}

static int64_t protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
    if (is_sealed(mm, start, end))
        return -EPERM;
    while (start < end) {
        const struct area *old = areas_first(&mm->list, start, end);
        if (!old || old->start > start || !reserve_entries(mm, 1))
            return -ENOMEM;
        old = areas_first(&mm->list, start, end); /* the list may have moved */
        struct area a = *old;
        a.start = start;
        a.end = a.end < end ? a.end : end;
        a.prot = prot & KNOWN_PROT;
        if (is_data(&a) && !is_data(old) && mm->max_data != UINT64_MAX &&
            !fits(data_bytes(mm), a.end - a.start, mm->max_data))
            return -ENOMEM;
        if (!(prot & PROT_EXEC) || (prot & PROT_WRITE && mm_files_touch(mm, a.start, a.end)))
            begin_change(mm, a.start, a.end);
        int64_t r = host_call(SYS_mprotect, a.start, a.end - a.start, host_prot(prot));
        if (r < 0) {
            cancel_change(mm);
            return r;
        }
        bool was_writable = old->prot & PROT_WRITE;
        end_change(mm, &a, a.start, a.end);
        if (was_writable && (prot & (PROT_WRITE | PROT_EXEC)) == PROT_EXEC) /* the last look at what was written */
            exec_renew(mm->exec, a.start, a.end);
        start = a.end;
    }
    return 0;
}

int64_t mm_mprotect(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot)
{
    if (addr & (PAGE - 1))
        return -EINVAL;
    if (!len)
        return 0;
    if (!in_space(mm, addr, len))
        return -ENOMEM;
    uint64_t start = addr, end = addr + ALIGN_UP(len, (uint64_t)PAGE);
    int64_t r = 0;
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, start, end);
    if (prot & GROWS) { /* down to the beginning of a stack */
        const struct area *a = areas_first(&mm->list, start, start + 1);
        r = !a ? -ENOMEM : !a->grows ? -EINVAL : 0;
        start = a ? a->start : start;
    }
    if (!r)
        r = protect(mm, start, end, prot);
    pthread_mutex_unlock(&mm->op);
    return r;
}

int64_t mm_madvise(struct mm *mm, uint64_t addr, uint64_t len, int advice)
{
    if (addr & (PAGE - 1))
        return -EINVAL;
    if (!in_space(mm, addr, len))
        return len ? -ENOMEM : 0;
    uint64_t end = addr + ALIGN_UP(len, (uint64_t)PAGE);
    bool drops = advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
    int64_t r = 0, hole = 0;
    if (addr == end)
        return host_call(SYS_madvise, 0, 0, advice); /* the advice itself may be unknown */
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, addr, end);
    if (drops)
        begin_change(mm, addr, end);
    for (uint64_t at = addr; at < end && !r;) {
        const struct area *a = areas_first(&mm->list, at, end);
        if (!a || a->start > at)
            hole = -ENOMEM;
        if (!a)
            break;
        struct area now = *a;
        now.start = a->start > at ? a->start : at;
        at = now.end = a->end < end ? a->end : end;
        r = host_call(SYS_madvise, now.start, at - now.start, advice);
        if (!r && (advice == MADV_DONTFORK || advice == MADV_DOFORK) && reserve_entries(mm, 1)) {
            now.not_forked = advice == MADV_DONTFORK;
            end_change(mm, &now, now.start, now.end);
        }
    }
    if (drops)
        cancel_change(mm);
    pthread_mutex_unlock(&mm->op);
    return r ? r : hole;
}

/* Other pages of the same file at the same place: the list knows neither file nor offset. */
int64_t mm_remap_file_pages(struct mm *mm, uint64_t addr, uint64_t len, uint64_t page_offset, uint32_t flags)
{
    uint64_t start = ALIGN_DOWN(addr, (uint64_t)PAGE), end = start + ALIGN_DOWN(len, (uint64_t)PAGE);
    if (!in_space(mm, start, ALIGN_DOWN(len, (uint64_t)PAGE)) || end == start)
        return -EINVAL;
    pthread_mutex_lock(&mm->op);
    int64_t r = areas_cover(&mm->list, start, end) ? 0 : -EINVAL;
    if (!r && is_sealed(mm, start, end))
        r = -EPERM;
    if (!r) {
        begin_change(mm, start, end);
        r = host_call(SYS_remap_file_pages, start, end - start, 0, page_offset, flags);
        cancel_change(mm);
    }
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* --- mseal --- */

int64_t mm_mseal(struct mm *mm, uint64_t addr, uint64_t len)
{
    uint64_t end = addr + ALIGN_UP(len, (uint64_t)PAGE);
    if (addr & (PAGE - 1) || end < addr || (len && end == addr))
        return -EINVAL;
    if (!len)
        return 0;
    if (!in_space(mm, addr, len))
        return -ENOMEM;
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, addr, end);
    int64_t r = areas_cover(&mm->list, addr, end) ? host_call(SYS_MSEAL, addr, end - addr, 0) : -ENOMEM;
    if (r == -ENOSYS) /* a host before Linux 6.10: every change goes through here */
        r = 0;
    for (uint64_t at = addr; at < end && !r;) {
        if (!reserve_entries(mm, 1)) {
            r = -ENOMEM;
            break;
        }
        struct area a = *areas_first(&mm->list, at, end);
        a.start = at;
        at = a.end = a.end < end ? a.end : end;
        a.sealed = true;
        end_change(mm, &a, a.start, a.end);
    }
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* --- mremap --- */

/* Moves to `to`, which nothing of metic's own occupies: mapped by the guest or held. */
static int64_t move(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t to, uint64_t new_len, uint32_t flags)
{
    struct area a = *areas_first(&mm->list, addr, addr + 1);
    begin_change(mm, addr, addr + (old_len ? old_len : PAGE));
    int64_t r = host_call(SYS_mremap, addr, old_len, new_len, flags | MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (r < 0) {
        cancel_change(mm);
        return r;
    }
    a.start = to;
    a.end = to + new_len;
    if (old_len && !(flags & MREMAP_DONTUNMAP))
        end_change(mm, NULL, addr, addr + old_len);
    end_change(mm, &a, a.start, a.end);
    return (int64_t)to;
}

static int64_t move_fixed(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t to, uint64_t new_len, uint32_t flags)
{
    if (to & (PAGE - 1) || !in_space(mm, to, new_len) || (to < addr + old_len && addr < to + new_len))
        return -EINVAL;
    if (is_sealed(mm, to, to + new_len))
        return -EPERM;
    int64_t r = hold_holes(mm, to, to + new_len);
    if (r < 0)
        return r;
    begin_change(mm, to, to + new_len);
    cancel_change(mm); /* its translations are gone; the source's are next */
    r = move(mm, addr, old_len, to, new_len, flags & ~MREMAP_FIXED);
    if (r < 0)
        release_holes(mm, to, to + new_len);
    return r;
}

static int64_t move_anywhere(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags)
{
    int64_t to = place(mm, new_len, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (to < 0)
        return to;
    int64_t r = move(mm, addr, old_len, (uint64_t)to, new_len, flags);
    if (r < 0)
        host_munmap((uint64_t)to, new_len);
    return r;
}

static int64_t resize(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t to)
{
    const struct area *old = areas_first(&mm->list, addr, addr + 1);
    if (!old)
        return -EFAULT;
    struct area a = *old;
    bool stays = !old_len || flags & MREMAP_DONTUNMAP;
    if (is_sealed(mm, addr, addr + (old_len ? old_len : PAGE)))
        return -EPERM;
    uint64_t growth = stays ? new_len : new_len > old_len ? new_len - old_len : 0;
    if (!may_grow(mm, growth, &a) || !reserve_entries(mm, 2))
        return -ENOMEM;
    if (flags & MREMAP_FIXED)
        return move_fixed(mm, addr, old_len, to, new_len, flags);
    if (stays)
        return move_anywhere(mm, addr, old_len, new_len, flags);
    if (new_len <= old_len) {
        int64_t r = new_len < old_len ? unmap(mm, addr + new_len, addr + old_len) : 0;
        return r < 0 ? r : (int64_t)addr;
    }
    if (!areas_cover(&mm->list, addr, addr + old_len))
        return -EFAULT;
    uint64_t end = addr + new_len;
    bool in_brk_room = addr + old_len <= mm->brk_start && end > mm->brk_start;
    if (in_space(mm, addr, new_len) && !areas_first(&mm->list, addr + old_len, end) && !in_brk_room) {
        /* The host sees metic's own mappings in the way, if any. */
        int64_t r = host_call(SYS_mremap, addr, old_len, new_len, 0, 0);
        if (r >= 0) {
            a.start = addr;
            a.end = end;
            end_change(mm, &a, a.start, a.end);
            return r;
        }
        if (r != -ENOMEM)
            return r;
    }
    return flags & MREMAP_MAYMOVE ? move_anywhere(mm, addr, old_len, new_len, flags) : -ENOMEM;
}

int64_t mm_mremap(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t new_addr)
{
    if (flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || addr & (PAGE - 1) || !new_len)
        return -EINVAL;
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    if (!in_space(mm, addr, old_len))
        return -EFAULT;
    if (new_len > mm->limit)
        return flags & MREMAP_FIXED ? -EINVAL : -ENOMEM;
    old_len = ALIGN_UP(old_len, (uint64_t)PAGE);
    new_len = ALIGN_UP(new_len, (uint64_t)PAGE);
    if (flags & MREMAP_DONTUNMAP && old_len != new_len)
        return -EINVAL;
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, addr, addr + (old_len > new_len ? old_len : new_len));
    if (flags & MREMAP_FIXED)
        mm_learn_growth(mm, new_addr, new_addr + new_len);
    int64_t r = resize(mm, addr, old_len, new_len, flags, new_addr);
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* --- brk --- */

void mm_set_brk(struct mm *mm, uint64_t start)
{
    mm->brk_start = mm->brk_now = ALIGN_UP(start, (uint64_t)PAGE);
}

int64_t mm_brk(struct mm *mm, uint64_t to)
{
    pthread_mutex_lock(&mm->op);
    uint64_t old_end = ALIGN_UP(mm->brk_now, (uint64_t)PAGE), end = ALIGN_UP(to, (uint64_t)PAGE);
    int64_t r = 0;
    if (to < mm->brk_start || to >= mm->limit || to - mm->brk_start > mm->brk_room)
        r = -ENOMEM;
    else if (end < old_end)
        r = unmap(mm, end, old_end);
    else if (end > old_end)
        r = map(mm, old_end, end - old_end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                -1, 0, AREA_HEAP);
    if (r >= 0)
        mm->brk_now = to;
    r = (int64_t)mm->brk_now;
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* --- System V shared memory --- */

static int64_t attach(struct mm *mm, int id, uint64_t addr, uint64_t len, int flags)
{
    uint32_t prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
    if (mm->nattached == ARRAY_SIZE(mm->attached))
        return -EMFILE;
    struct area a = {.end = len, .prot = (uint8_t)prot, .shared = true, .kind = AREA_SHM};
    mm_learn_growth(mm, addr, addr + len);
    if (!may_grow(mm, len, &a) || !reserve_entries(mm, 1))
        return -ENOMEM;
    bool anywhere = !addr;
    if (anywhere) {
        int64_t at = place(mm, len, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at < 0)
            return at;
        addr = (uint64_t)at;
    } else {
        if (in_space(mm, addr, len) && flags & SHM_REMAP && is_sealed(mm, addr, addr + len))
            return -EPERM;
        if (!in_space(mm, addr, len) || (!(flags & SHM_REMAP) && areas_first(&mm->list, addr, addr + len)))
            return -EINVAL;
        if (hold_holes(mm, addr, addr + len) < 0)
            return -EINVAL;
        begin_change(mm, addr, addr + len);
    }
    int64_t r = host_call(SYS_shmat, id, addr, (flags & ~SHM_EXEC) | SHM_REMAP);
    if (r < 0) {
        if (anywhere)
            host_munmap(addr, len);
        else
            release_holes(mm, addr, addr + len);
        cancel_change(mm);
        return r;
    }
    mm->attached[mm->nattached++] = (struct attachment){addr, len};
    a.start = addr;
    a.end = addr + len;
    end_change(mm, &a, a.start, a.end);
    return r;
}

int64_t mm_shmat(struct mm *mm, int id, uint64_t addr, int flags)
{
    struct shmid_ds info;
    int64_t r = host_call(SYS_shmctl, id, IPC_STAT, &info);
    if (r < 0)
        return r;
    if (addr & (PAGE - 1)) {
        if (!(flags & SHM_RND))
            return -EINVAL;
        addr = ALIGN_DOWN(addr, (uint64_t)PAGE);
    }
    if (!addr && flags & SHM_REMAP)
        return -EINVAL;
    if (info.shm_segsz > mm->limit)
        return -ENOMEM;
    pthread_mutex_lock(&mm->op);
    r = attach(mm, id, addr, ALIGN_UP((uint64_t)info.shm_segsz, (uint64_t)PAGE), flags);
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* Forgets what was shared memory in the range: the guest may have mapped other things over parts of it. */
static void forget_attached(struct mm *mm, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end;) {
        const struct area *a = areas_first(&mm->list, at, end);
        if (!a)
            return;
        uint64_t from = a->start > at ? a->start : at;
        at = a->end < end ? a->end : end;
        if (a->kind == AREA_SHM)
            end_change(mm, NULL, from, at);
    }
}

int64_t mm_shmdt(struct mm *mm, uint64_t addr)
{
    int64_t r = -EINVAL;
    pthread_mutex_lock(&mm->op);
    for (unsigned i = 0; i < mm->nattached; i++) {
        struct attachment at = mm->attached[i];
        if (at.addr != addr || !reserve_entries(mm, 1))
            continue;
        begin_change(mm, addr, addr + at.len);
        r = host_call(SYS_shmdt, addr);
        if (r == 0)
            forget_attached(mm, addr, addr + at.len);
        cancel_change(mm);
        mm->attached[i] = mm->attached[--mm->nattached];
        break;
    }
    pthread_mutex_unlock(&mm->op);
    return r;
}

/* --- questions --- */

bool mm_is_mapped(struct mm *mm, uint64_t addr, uint64_t len)
{
    if (!in_space(mm, addr, len))
        return false;
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, addr, addr + len);
    bool r = areas_cover(&mm->list, addr, addr + len);
    pthread_mutex_unlock(&mm->op);
    return r;
}

int mm_protection(struct mm *mm, uint64_t addr)
{
    pthread_mutex_lock(&mm->op);
    mm_learn_growth(mm, addr, addr + 1);
    const struct area *a = addr < mm->limit ? areas_first(&mm->list, addr, addr + 1) : NULL;
    int prot = a ? a->prot : -1;
    pthread_mutex_unlock(&mm->op);
    return prot;
}

void mm_fork_begin(struct mm *mm)
{
    pthread_mutex_lock(&mm->op);
}

void mm_fork_prepare(struct mm *mm)
{
    pthread_mutex_lock(&mm->areas_lock);
}

void mm_fork_child(struct mm *mm)
{
    mm->lock_new = false;
}

void mm_fork_done(struct mm *mm)
{
    pthread_mutex_unlock(&mm->areas_lock);
    pthread_mutex_unlock(&mm->op);
}

void mm_forget_not_forked(struct mm *mm)
{
    size_t to = 0;
    for (size_t i = 0; i < mm->list.n; i++)
        if (!mm->list.v[i].not_forked)
            mm->list.v[to++] = mm->list.v[i];
    mm->list.n = to;
}
