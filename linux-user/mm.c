/*
 * The guest's address space: mmap(2) and its relatives at guest base 0. The host does the mapping; the list of areas
 * says which of the host's mappings are the guest's. Metic's own mappings are nobody's business: placements use
 * MAP_FIXED_NOREPLACE, and a range that holds something which is not in the list is occupied.
 *
 * Guest code is read, never executed, so the host's protection has no PROT_EXEC and always PROT_READ where the guest's
 * has PROT_EXEC. AArch64 and RISC-V demand explicit instruction cache maintenance, so translations are dropped only
 * here, when executable memory goes away or loses that right, and when the guest asks for it (EXIT_ICACHE). A guest
 * whose architecture has coherent instruction caches (x86, s390x) needs more: translated pages that are writable would
 * have to be write-protected on the host, a write fault on one dropping its translations.
 */
#include "linux-user/mm.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "exec/exec.h"
#include "host/cpu.h"
#include "linux-user/host.h"
#include "linux-user/mm-internal.h"
#include "linux-user/uaccess.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum {
    MAP_KIND = MAP_TYPE, /* shared, private, shared and validated */
    KNOWN_PROT = PROT_READ | PROT_WRITE | PROT_EXEC,
    GROWS = PROT_GROWSDOWN,
    STACK_ROOM = 128 << 20, /* for the first stack to grow into, as Linux's MIN_GAP */
    HUGE_SHIFT = 26,        /* MAP_HUGE_SHIFT */
    FIRST_CHANGES = 4096,   /* far from what the host allows */
    OWN_BITS = 44,          /* no space as small as this has anything of metic's own in it */
};
#define MAX_WINDOW (UINT64_C(64) << 30)

/*
 * Which part of the space is for what: docs/design/address-space.rst. A guest whose space ends below metic's own memory
 * has things where Linux has them, which sanitizers take for granted.
 */
static void lay_out(struct mm *mm, unsigned bits, uint64_t seed)
{
    /* at the top: all but the program */
    const uint64_t window = mm->limit >> 4 < MAX_WINDOW ? mm->limit >> 4 : MAX_WINDOW;
    uint64_t files, files_size, programs;
    if (bits <= OWN_BITS) {
        mm->top = mm->limit;
        files = mm->limit - window / 4 * 3;
        files_size = window / 4;
        programs = mm->limit / 3 * 2;
        mm->programs.n = UINT64_C(1) << 18;
    } else {
        mm->top = (mm->limit >> 3) * 7; /* below the host's own mmap area */
        files = mm->limit / 4 * 3;
        files_size = window;
        programs = mm->limit / 6; /* well below a third, where the host puts its mappings when the stack is unlimited */
        mm->programs.n = UINT64_C(1) << (bits - 6 - 12);
    }
    uint64_t mask = mm->programs.n - 1; /* two numbers of as many pages are left to chance */
    uint64_t r1 = seed * UINT64_C(0x9e3779b97f4a7c15) >> 20 & mask,
             r2 = seed * UINT64_C(0xbf58476d1ce4e5b9) >> 20 & mask;
    mm->top = ALIGN_DOWN(mm->top, (uint64_t)PAGE) - r1 * PAGE;
    mm->programs.start = ALIGN_DOWN(programs, (uint64_t)PAGE);
    mm->program_base = mm->programs.start + r2 * PAGE;
    mm->brk_room = ALIGN_DOWN(mm->limit >> 6, (uint64_t)PAGE);
    mm->places.start = ALIGN_UP(files, UINT64_C(1) << FILE_PLACE_SHIFT);
    mm->places.n = files_size >> FILE_PLACE_SHIFT;
}

struct mm *mm_new(unsigned address_bits, uint64_t seed, void (*waiting)(void))
{
    struct mm *mm = calloc(1, sizeof *mm);
    if (!mm)
        return NULL;
    shared_lock_init(&mm->op, waiting);
    shared_lock_init(&mm->areas_lock, waiting);
    unsigned host_bits = host_address_bits();
    if (address_bits > host_bits)
        address_bits = host_bits;
    mm->limit = (UINT64_C(1) << address_bits) - PAGE;
    mm->max_bytes = mm->max_data = UINT64_MAX;
    mm->opened = -1;
    mm->uncounted = FIRST_CHANGES;
    /* Up to 1/64 of the space is given to chance: two numbers of as many pages. */
    uint64_t pages = UINT64_C(1) << (address_bits - 6 - 12);
    uint64_t r1 = seed * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (pages - 1);
    uint64_t r2 = seed * UINT64_C(0xbf58476d1ce4e5b9) >> 20 & (pages - 1);
    mm->top = ALIGN_DOWN((mm->limit >> 3) * 7, (uint64_t)PAGE) - r1 * PAGE;
    /* Well below a third of the space, where the host puts its own mappings when the stack is unlimited. */
    mm->program_base = ALIGN_DOWN(mm->limit / 6, (uint64_t)PAGE) + r2 * PAGE;
    mm->brk_room = ALIGN_DOWN(mm->limit >> 6, (uint64_t)PAGE);
    lay_out(mm, address_bits, seed);
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
    shared_lock_take(&mm->areas_lock);
    const struct area *a = areas_first(&mm->list, pc, pc + 1);
    bool ok = a && a->prot & PROT_EXEC && !(pc >= mm->changing_start && pc < mm->changing_end);
    shared_lock_give(&mm->areas_lock);
    const uint8_t *p = (const uint8_t *)(uintptr_t)pc;
    uint8_t byte;
    if (!ok || copy_recoverably(&byte, p, 1))
        return NULL;
    *avail = PAGE - (pc & (PAGE - 1));
    return p;
}

bool mm_may_fetch(struct mm *mm, uint64_t addr)
{
    size_t avail;
    shared_lock_take(&mm->op);
    bool may = code_window(mm, addr, &avail);
    shared_lock_give(&mm->op);
    return may;
}

struct code_reader mm_code_reader(struct mm *mm)
{
    return (struct code_reader){mm, code_window, mm_file_at, mm_files_rest};
}

void mm_code_changed(struct mm *mm, uint64_t start, uint64_t end)
{
    shared_lock_take(&mm->op);
    for (size_t i = areas_find(&mm->list, start); i < mm->list.n && mm->list.v[i].start < end; i++) {
        const struct area *a = &mm->list.v[i];
        /* Everything there is (FENCE.I): only what can have been written, which is little of it. */
        if (a->prot & PROT_EXEC && (end < mm->limit || a->prot & PROT_WRITE || a->shared))
            exec_renew(mm->exec, a->start > start ? a->start : start, a->end < end ? a->end : end);
    }
    shared_lock_give(&mm->op);
}

static uint64_t alignment(uint32_t flags)
{
    if (!(flags & MAP_HUGETLB))
        return PAGE;
    unsigned shift = flags >> HUGE_SHIFT & 63;
    return UINT64_C(1) << (shift > 12 && shift < 40 ? shift : 21);
}

/* --- mmap --- */

static int64_t map_fixed(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd,
                         uint64_t offset)
{
    if (!areas_first(&mm->list, addr, addr + len)) {
        int64_t r = mm_host_place(addr, len, prot, flags & ~MAP_FIXED, fd, offset);
        return r == -EEXIST ? -ENOMEM : r;
    }
    if (mm_is_sealed(mm, addr, addr + len))
        return -EPERM;
    int64_t r = mm_hold_holes(mm, addr, addr + len);
    if (r < 0)
        return r;
    mm_begin_change(mm, addr, addr + len);
    r = mm_host_map(addr, len, prot, flags, fd, offset);
    if (r < 0) {
        mm_release_holes(mm, addr, addr + len);
        mm_cancel_change(mm);
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

/* As the kernel's map_deny_write_exec(). */
static bool denies(const struct mm *mm, uint32_t before, uint32_t now)
{
    return mm->mdwe && now & PROT_EXEC && (now & PROT_WRITE || !(before & PROT_EXEC));
}

static int64_t map(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset,
                   enum area_kind kind)
{
    if (offset & (PAGE - 1))
        return -EINVAL;
    if (!len || len > mm->limit) /* an error that the host knows best: it looks at the descriptor first */
        return host_call(SYS_mmap, 0, len ? UINT64_MAX : 0, PROT_NONE, flags & ~MAP_FIXED, fd, 0);
    len = ALIGN_UP(len, (uint64_t)PAGE);
    if (mm->lock_new)
        flags |= MAP_LOCKED;
    bool noreplace = flags & MAP_FIXED_NOREPLACE, fixed = noreplace || flags & MAP_FIXED;
    if (fixed && addr & (PAGE - 1))
        return -EINVAL;
    if (fixed && !mm_in_space(mm, addr, len))
        return -ENOMEM;
    struct area a = {
        .prot = prot & KNOWN_PROT,
        .shared = (flags & MAP_KIND) != MAP_PRIVATE,
        .grows = flags & MAP_GROWSDOWN,
        .kind = kind,
    };
    if (denies(mm, a.prot, a.prot))
        return -EACCES;
    if (fixed || addr)
        mm_learn_growth(mm, addr, addr + len);
    if (!mm_may_grow(mm, fixed ? len - areas_bytes(&mm->list, addr, addr + len) : len, &a) || !mm_reserve(mm, 1) ||
        !mm_has_room(mm))
        return -ENOMEM;

    int64_t at = -EEXIST;
    if (noreplace) {
        if (areas_first(&mm->list, addr, addr + len))
            return -EEXIST;
        at = mm_host_place(addr, len, prot, flags & ~MAP_FIXED, fd, offset);
    } else if (fixed) {
        at = map_fixed(mm, addr, len, prot, flags, fd, offset);
    } else {
        addr = ALIGN_DOWN(addr, (uint64_t)PAGE);
        if (addr >= MM_LOWEST && mm_in_space(mm, addr, len) && !areas_first(&mm->list, addr, addr + len))
            at = mm_host_place(addr, len, prot, flags, fd, offset);
        uint64_t stable = 0;
        if (at == -EEXIST && kind == AREA_PLAIN && mm->secret)
            stable = is_reservation(prot, flags)     ? mm_reserved_place(mm, len)
                     : is_library(flags, fd, offset) ? mm_file_place(mm, fd, len)
                                                     : 0;
        if (stable)
            at = mm_host_place(stable, len, prot, flags, fd, offset);
        if (at == -EEXIST)
            at = mm_place(mm, len, alignment(flags), prot, flags, fd, offset);
        if (at == -EINVAL && !(flags & MAP_ANONYMOUS))
            at = mm_place_by_host(mm, len, prot, flags, fd, offset);
    }
    if (at < 0)
        return at;
    a.start = (uint64_t)at;
    a.end = (uint64_t)at + len;
    mm_end_change(mm, &a, a.start, a.end);
    mm_files_note(mm, &a, fd, offset);
    return at;
}

int64_t mm_set_mdwe(struct mm *mm, uint64_t bits)
{
    if (bits & ~(uint64_t)(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT) || bits == MDWE_NO_INHERIT)
        return -EINVAL;
    shared_lock_take(&mm->op);
    bool other = mm->mdwe && mm->mdwe != bits;
    if (!other)
        mm->mdwe = (uint32_t)bits;
    shared_lock_give(&mm->op);
    return other ? -EPERM : 0;
}

uint32_t mm_mdwe(const struct mm *mm) { return mm->mdwe; }

int64_t mm_mmap(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset)
{
    shared_lock_take(&mm->op);
    int64_t r = map(mm, addr, len, prot, flags, fd, offset, AREA_PLAIN);
    shared_lock_give(&mm->op);
    return r;
}

int64_t mm_map_kind(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, enum area_kind kind)
{
    shared_lock_take(&mm->op);
    flags |= MAP_PRIVATE | MAP_ANONYMOUS | (kind == AREA_STACK ? MAP_GROWSDOWN : 0);
    int64_t r = map(mm, addr, len, prot, flags, -1, 0, kind);
    if (r >= 0 && kind == AREA_STACK) {
        uint64_t room = (len > STACK_ROOM ? len : STACK_ROOM) + MM_STACK_GAP, end = (uint64_t)r + len;
        if (end > room && end - room < mm->top)
            mm->top = end - room;
    }
    shared_lock_give(&mm->op);
    return r;
}

/* --- munmap, mprotect, madvise --- */

int64_t mm_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
    if (mm_is_sealed(mm, start, end))
        return -EPERM;
    const struct area *around = areas_first(&mm->list, start, end);
    if (!mm_reserve(mm, 1) || (around && around->start < start && around->end > end && !mm_has_room(mm)))
        return -ENOMEM;
    mm_begin_change(mm, start, end);
    int64_t r = 0;
    for (uint64_t at = start; at < end && r == 0;) {
        const struct area *a = areas_first(&mm->list, at, end);
        if (!a)
            break;
        uint64_t from = a->start > at ? a->start : at, to = a->end < end ? a->end : end;
        r = mm_host_unmap(from, to - from);
        if (r == 0)
            mm_forget(mm, from, to);
        at = to;
    }
    mm_cancel_change(mm);
    return r;
}

int64_t mm_munmap(struct mm *mm, uint64_t addr, uint64_t len)
{
    if (addr & (PAGE - 1) || !len || !mm_in_space(mm, addr, len))
        return -EINVAL;
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, addr, addr + len);
    int64_t r = mm_unmap(mm, addr, addr + ALIGN_UP(len, (uint64_t)PAGE));
    shared_lock_give(&mm->op);
    return r;
}

static int64_t protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
    if (mm_is_sealed(mm, start, end))
        return -EPERM;
    while (start < end) {
        const struct area *old = areas_first(&mm->list, start, end);
        if (!old || old->start > start || ((old->start < start || old->end > end) && !mm_has_room(mm)) ||
            !mm_reserve(mm, 1))
            return -ENOMEM;
        old = areas_first(&mm->list, start, end); /* the list may have moved */
        struct area a = *old;
        a.start = start;
        a.end = a.end < end ? a.end : end;
        a.prot = prot & KNOWN_PROT;
        if (denies(mm, old->prot, a.prot))
            return -EACCES;
        if (!mm_may_become(mm, old, &a))
            return -ENOMEM;
        if (!(prot & PROT_EXEC) || (prot & PROT_WRITE && mm_files_touch(mm, a.start, a.end)))
            mm_begin_change(mm, a.start, a.end);
        int64_t r = host_call(SYS_mprotect, a.start, a.end - a.start, mm_host_prot(prot));
        if (r < 0) {
            mm_cancel_change(mm);
            return r;
        }
        bool was_writable = old->prot & PROT_WRITE;
        mm_end_change(mm, &a, a.start, a.end);
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
    if (!mm_in_space(mm, addr, len))
        return -ENOMEM;
    uint64_t start = addr, end = addr + ALIGN_UP(len, (uint64_t)PAGE);
    int64_t r = 0;
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, start, end);
    if (prot & GROWS) { /* down to the beginning of a stack */
        const struct area *a = areas_first(&mm->list, start, start + 1);
        r = !a ? -ENOMEM : !a->grows ? -EINVAL : 0;
        start = a ? a->start : start;
    }
    if (!r)
        r = protect(mm, start, end, prot);
    shared_lock_give(&mm->op);
    return r;
}

int64_t mm_madvise(struct mm *mm, uint64_t addr, uint64_t len, int advice)
{
    if (addr & (PAGE - 1))
        return -EINVAL;
    if (!mm_in_space(mm, addr, len))
        return len ? -ENOMEM : 0;
    uint64_t end = addr + ALIGN_UP(len, (uint64_t)PAGE);
    bool drops = advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
    int64_t r = 0, hole = 0;
    if (addr == end)
        return host_call(SYS_madvise, 0, 0, advice); /* the advice itself may be unknown */
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, addr, end);
    if (drops)
        mm_begin_change(mm, addr, end);
    for (uint64_t at = addr; at < end && !r;) {
        const struct area *a = areas_first(&mm->list, at, end);
        if (!a || a->start > at)
            hole = -ENOMEM;
        if (!a)
            break;
        struct area now = *a;
        now.start = a->start > at ? a->start : at;
        at = now.end = a->end < end ? a->end : end;
        bool divides = a->start < now.start || a->end > at;
        r = divides && !mm_has_room(mm) ? -ENOMEM : host_call(SYS_madvise, now.start, at - now.start, advice);
        if (!r && (advice == MADV_DONTFORK || advice == MADV_DOFORK) && mm_reserve(mm, 1)) {
            now.not_forked = advice == MADV_DONTFORK;
            mm_end_change(mm, &now, now.start, now.end);
        }
    }
    if (drops)
        mm_cancel_change(mm);
    shared_lock_give(&mm->op);
    return r ? r : hole;
}

/* Other pages of the same file at the same place: the list knows neither file nor offset. */
int64_t mm_remap_file_pages(struct mm *mm, uint64_t addr, uint64_t len, uint64_t page_offset, uint32_t flags)
{
    uint64_t start = ALIGN_DOWN(addr, (uint64_t)PAGE), end = start + ALIGN_DOWN(len, (uint64_t)PAGE);
    if (!mm_in_space(mm, start, ALIGN_DOWN(len, (uint64_t)PAGE)) || end == start)
        return -EINVAL;
    shared_lock_take(&mm->op);
    int64_t r = areas_cover(&mm->list, start, end) ? 0 : -EINVAL;
    if (!r && mm_is_sealed(mm, start, end))
        r = -EPERM;
    if (!r) {
        mm_begin_change(mm, start, end);
        r = host_call(SYS_remap_file_pages, start, end - start, 0, page_offset, flags);
        mm_cancel_change(mm);
    }
    shared_lock_give(&mm->op);
    return r;
}

/* --- brk --- */

void mm_set_brk(struct mm *mm, uint64_t start)
{
    mm->brk_start = mm->brk_now = ALIGN_UP(start, (uint64_t)PAGE);
}

int64_t mm_brk(struct mm *mm, uint64_t to)
{
    shared_lock_take(&mm->op);
    uint64_t old_end = ALIGN_UP(mm->brk_now, (uint64_t)PAGE), end = ALIGN_UP(to, (uint64_t)PAGE);
    int64_t r = 0;
    if (to < mm->brk_start || to >= mm->limit || to - mm->brk_start > mm->brk_room)
        r = -ENOMEM;
    else if (end < old_end)
        r = mm_unmap(mm, end, old_end);
    else if (end > old_end)
        r = map(mm, old_end, end - old_end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                -1, 0, AREA_HEAP);
    if (r >= 0)
        mm->brk_now = to;
    r = (int64_t)mm->brk_now;
    shared_lock_give(&mm->op);
    return r;
}

/* --- questions --- */

bool mm_is_mapped(struct mm *mm, uint64_t addr, uint64_t len)
{
    if (!mm_in_space(mm, addr, len))
        return false;
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, addr, addr + len);
    bool r = areas_cover(&mm->list, addr, addr + len);
    shared_lock_give(&mm->op);
    return r;
}

bool mm_ends_behind(struct mm *mm, uint64_t addr)
{
    shared_lock_take(&mm->areas_lock);
    bool behind = mm->list.n && mm->list.v[mm->list.n - 1].end > addr;
    shared_lock_give(&mm->areas_lock);
    return behind;
}

int mm_protection(struct mm *mm, uint64_t addr)
{
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, addr, addr + 1);
    const struct area *a = addr < mm->limit ? areas_first(&mm->list, addr, addr + 1) : NULL;
    int prot = a ? a->prot : -1;
    shared_lock_give(&mm->op);
    return prot;
}

void mm_child_ended(struct mm *mm)
{
    if (shared_lock_inherit(&mm->areas_lock))
        shared_lock_give(&mm->areas_lock);
    if (shared_lock_inherit(&mm->op))
        shared_lock_give(&mm->op);
}

void mm_fork_begin(struct mm *mm) { shared_lock_take(&mm->op); }

void mm_fork_prepare(struct mm *mm) { shared_lock_take(&mm->areas_lock); }

void mm_fork_child(struct mm *mm)
{
    mm->lock_new = false;
    if (mm->mdwe & MDWE_NO_INHERIT)
        mm->mdwe = 0;
}

void mm_fork_done(struct mm *mm)
{
    shared_lock_give(&mm->areas_lock);
    shared_lock_give(&mm->op);
}

void mm_forget_not_forked(struct mm *mm)
{
    size_t to = 0;
    for (size_t i = 0; i < mm->list.n; i++)
        if (!mm->list.v[i].not_forked)
            mm->list.v[to++] = mm->list.v[i];
    mm->list.n = to;
}
