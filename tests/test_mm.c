/*
 * The guest's address space against a model: the list of areas by itself, then mm.h's functions with the real host
 * mappings behind them, whose protection and contents are looked at through uaccess.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "exec/exec.h"
#include "linux-user/areas.h"
#include "linux-user/mm.h"
#include "linux-user/uaccess.h"

enum { PAGE = 4096, PAGES = 48, BITS = 47, ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static uint64_t random_state = 88172645463325252u;

static uint64_t rnd(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* What exec/ would be told: the last range whose translations were dropped, and how often that happened. */
static struct {
    uint64_t start, end;
    unsigned count;
} dropped;

void exec_invalidate(struct exec *x, uint64_t start, uint64_t end)
{
    dropped.start = start;
    dropped.end = end;
    dropped.count++;
}

/* What may be dropped if it is another now. */
static struct {
    uint64_t start, end;
    unsigned count;
} renewed;

void exec_renew(struct exec *x, uint64_t start, uint64_t end)
{
    renewed.start = start;
    renewed.end = end;
    renewed.count++;
}

/* --- the list --- */

static void check_list(const struct area_list *l, const int8_t *model)
{
    for (size_t i = 0; i < l->n; i++) {
        cr_assert(l->v[i].start < l->v[i].end);
        if (i > 0) {
            cr_assert(l->v[i - 1].end <= l->v[i].start);
            cr_assert(l->v[i - 1].end < l->v[i].start || l->v[i - 1].prot != l->v[i].prot, "neighbours are merged");
        }
    }
    for (uint64_t p = 0; p < PAGES; p++) {
        const struct area *a = areas_first(l, p * PAGE, (p + 1) * PAGE);
        cr_assert_eq(a ? a->prot : -1, model[p]);
    }
}

Test(areas, random_changes)
{
    struct area_list l = {0};
    int8_t model[PAGES];
    memset(model, -1, sizeof model);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t start = rnd(PAGES), end = start + 1 + rnd(PAGES - start);
        int prot = (int)rnd(4) - 1;
        cr_assert(areas_reserve(&l, 1));
        if (prot < 0)
            areas_clear(&l, start * PAGE, end * PAGE);
        else
            areas_set(&l, &(struct area){start * PAGE, end * PAGE, (uint8_t)prot, false, AREA_PLAIN});
        memset(model + start, prot, end - start);
        check_list(&l, model);
        bool covered = true;
        for (uint64_t p = start; p < end; p++)
            covered = covered && model[p] >= 0;
        cr_assert_eq(areas_cover(&l, start * PAGE, end * PAGE), covered);
        unsigned bytes = 0;
        for (uint64_t p = start; p < end; p++)
            bytes += model[p] >= 0 ? PAGE : 0;
        cr_assert_eq(areas_bytes(&l, start * PAGE, end * PAGE), bytes);
        /* The gap that is found is the highest there is. */
        uint64_t len = 1 + rnd(6), align = 1u << rnd(3), best = 0;
        for (uint64_t p = align; p + len <= PAGES; p += align) {
            uint64_t n = 0;
            while (n < len && model[p + n] < 0)
                n++;
            best = n == len ? p : best;
        }
        cr_assert_eq(areas_gap(&l, PAGE, PAGES * PAGE, len * PAGE, align * PAGE), best * PAGE);
    }
    areas_free(&l);
}

/* --- the address space --- */

static struct mm *mm;
static uint64_t arena; /* PAGES pages that mm may use */

static void on_fault(int signo, siginfo_t *info, void *context)
{
    if (!uaccess_host_fault(context)) {
        signal(signo, SIG_DFL);
        raise(signo);
    }
}

static void setup(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    mm = mm_new(BITS, 1 + rnd(1000), NULL);
    mm_set_exec(mm, (struct exec *)&dropped);
    arena = mm_program_base(mm);
}

TestSuite(mm, .init = setup, .timeout = 60);

/* -1: not accessible on the host; else the byte there. */
static int peek(uint64_t addr)
{
    uint8_t b;
    return copy_recoverably(&b, (void *)(uintptr_t)addr, 1) ? -1 : b;
}

static bool poke(uint64_t addr, uint8_t b)
{
    return copy_recoverably((void *)(uintptr_t)addr, &b, 1) == 0;
}

Test(mm, invalid_arguments)
{
    cr_expect_eq(mm_mmap(mm, 0, 0, RW, ANON, -1, 0), -EINVAL);
    cr_expect_eq(mm_mmap(mm, 0, PAGE, RW, ANON, -1, 1), -EINVAL);
    cr_expect_eq(mm_mmap(mm, arena + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
    cr_expect_eq(mm_mmap(mm, 0, UINT64_C(1) << BITS, RW, ANON, -1, 0), -ENOMEM);
    cr_expect_eq(mm_mmap(mm, 0, ~UINT64_C(0), RW, ANON, -1, 0), -ENOMEM);
    cr_expect_eq(mm_mmap(mm, UINT64_C(1) << BITS, PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
    cr_expect_eq(mm_mmap(mm, 0, PAGE, RW, MAP_PRIVATE, -1, 0), -EBADF);
    cr_expect_eq(mm_munmap(mm, arena + 1, PAGE), -EINVAL);
    cr_expect_eq(mm_munmap(mm, arena, 0), -EINVAL);
    cr_expect_eq(mm_munmap(mm, UINT64_C(1) << BITS, PAGE), -EINVAL);
    cr_expect_eq(mm_munmap(mm, arena, PAGE), 0);
    cr_expect_eq(mm_mprotect(mm, arena + 1, PAGE, RW), -EINVAL);
    cr_expect_eq(mm_mprotect(mm, arena, PAGE, RW), -ENOMEM);
    cr_expect_eq(mm_mprotect(mm, arena, 0, RW), 0);
    cr_expect_eq(mm_mremap(mm, arena, PAGE, PAGE, 0, 0), -EFAULT);
    cr_expect_eq(mm_mremap(mm, arena, PAGE, 0, 0, 0), -EINVAL);
    cr_expect_eq(mm_mremap(mm, arena, PAGE, PAGE, MREMAP_FIXED, arena), -EINVAL);
    cr_expect_eq(mm_madvise(mm, arena, PAGE, MADV_DONTNEED), -ENOMEM);
    cr_expect_eq(mm_madvise(mm, arena + 1, PAGE, MADV_DONTNEED), -EINVAL);
    cr_expect_eq(mm_shmdt(mm, arena), -EINVAL);
}

Test(mm, a_hint_is_taken_when_free)
{
    cr_expect_eq(mm_mmap(mm, arena, PAGE, RW, ANON, -1, 0), arena);
    int64_t other = mm_mmap(mm, arena, PAGE, RW, ANON, -1, 0);
    cr_expect(other > 0 && (uint64_t)other != arena);
    cr_expect_eq(mm_mmap(mm, arena, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), -EEXIST);
    cr_expect_eq(mm_mmap(mm, arena + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), arena + PAGE);
}

Test(mm, metics_own_memory_is_out_of_reach)
{
    /* Something of metic's own where the next placement would go, and in the middle of a fixed range. */
    int64_t first = mm_mmap(mm, 0, PAGE, RW, ANON, -1, 0);
    cr_assert(first > 0);
    uint8_t *own = mmap((void *)(uintptr_t)(first - 2 * PAGE), PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
    cr_assert(own != MAP_FAILED);
    *own = 42;
    int64_t second = mm_mmap(mm, 0, 2 * PAGE, RW, ANON, -1, 0);
    cr_expect(second > 0 && (second + 2 * PAGE <= (int64_t)(uintptr_t)own || second >= (int64_t)(uintptr_t)own + PAGE));
    cr_expect_eq(mm_mmap(mm, first - 4 * PAGE, 5 * PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
    cr_expect_eq(mm_mmap(mm, (uintptr_t)own, PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
    cr_expect_eq(mm_munmap(mm, (uintptr_t)own, PAGE), 0, "nothing of the guest's: nothing happens");
    cr_expect_eq(mm_mprotect(mm, (uintptr_t)own, PAGE, PROT_NONE), -ENOMEM);
    cr_expect_eq(mm_mremap(mm, (uint64_t)first, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (uintptr_t)own), -ENOMEM);
    cr_expect(!mm_is_mapped(mm, (uintptr_t)own, PAGE));
    cr_expect_eq(*own, 42);
    cr_expect_eq(mm_protection(mm, (uint64_t)first), RW, "a refused change changes nothing");
    munmap(own, PAGE);
}

Test(mm, execute_permission_is_for_the_translator_alone)
{
    struct code_reader code = mm_code_reader(mm);
    size_t avail;
    cr_assert_eq(mm_mmap(mm, arena, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), arena);
    cr_expect_null(code.window(code.opaque, arena, &avail));
    cr_assert_eq(mm_mprotect(mm, arena, PAGE, PROT_EXEC), 0);
    cr_expect_eq(code.window(code.opaque, arena + 4, &avail), (uint8_t *)(uintptr_t)arena + 4);
    cr_expect_eq(avail, PAGE - 4);
    cr_expect_null(code.window(code.opaque, arena + PAGE, &avail));
    cr_expect(!poke(arena, 1));
    cr_expect_eq(mm_protection(mm, arena), PROT_EXEC);
    cr_assert_eq(mm_mprotect(mm, arena, PAGE, PROT_NONE), 0);
    cr_expect_null(code.window(code.opaque, arena, &avail));
    cr_expect_eq(peek(arena), -1);
    cr_expect_eq(mm_protection(mm, arena + 2 * PAGE), -1);
}

Test(mm, new_code_is_looked_for_where_it_can_be)
{
    enum { RX = PROT_READ | PROT_EXEC };
    cr_assert_eq(mm_mmap(mm, arena, 4 * PAGE, RX, ANON | MAP_FIXED, -1, 0), arena);
    mm_code_changed(mm, 0, UINT64_MAX);
    cr_expect_eq(renewed.count, 0, "nothing is writable");
    mm_mprotect(mm, arena + PAGE, PAGE, RX | PROT_WRITE);
    mm_code_changed(mm, 0, UINT64_MAX);
    cr_expect(renewed.count == 1 && renewed.start == arena + PAGE && renewed.end == arena + 2 * PAGE);
    mm_mprotect(mm, arena + PAGE, PAGE, RX);
    cr_expect(renewed.count == 2 && renewed.start == arena + PAGE && renewed.end == arena + 2 * PAGE);
    mm_code_changed(mm, arena + 8, arena + 12);
    cr_expect(renewed.count == 3 && renewed.start == arena + 8 && renewed.end == arena + 12);
    cr_assert_eq(mm_mmap(mm, arena + 4 * PAGE, PAGE, RX, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0), arena + 4 * PAGE);
    mm_code_changed(mm, 0, UINT64_MAX);
    cr_expect(renewed.count == 4 && renewed.start == arena + 4 * PAGE, "written through another mapping");
    cr_expect_eq(dropped.count, 0);
    mm_munmap(mm, arena, 5 * PAGE);
}

Test(mm, translations_are_dropped_when_code_goes_away)
{
    enum { RX = PROT_READ | PROT_EXEC };
    unsigned n = 0;
    cr_assert_eq(mm_mmap(mm, arena, 4 * PAGE, RX, ANON | MAP_FIXED, -1, 0), arena);
    cr_assert_eq(mm_mmap(mm, arena + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0), arena + 4 * PAGE);
    cr_expect_eq(dropped.count, n);
    mm_mprotect(mm, arena, PAGE, RX | PROT_WRITE);
    cr_expect_eq(dropped.count, n, "still executable");
    mm_mprotect(mm, arena, PAGE, RW);
    cr_expect(dropped.count == ++n && dropped.start == arena && dropped.end == arena + PAGE);
    mm_munmap(mm, arena + 4 * PAGE, PAGE);
    mm_madvise(mm, arena + 5 * PAGE, PAGE, MADV_DONTNEED);
    cr_expect_eq(dropped.count, n, "was no code");
    mm_madvise(mm, arena + PAGE, PAGE, MADV_DONTNEED);
    cr_expect_eq(dropped.count, ++n);
    mm_mmap(mm, arena + PAGE, PAGE, RX, ANON | MAP_FIXED, -1, 0);
    cr_expect(dropped.count == ++n && dropped.start == arena + PAGE && dropped.end == arena + 2 * PAGE);
    mm_mremap(mm, arena + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, arena + 8 * PAGE);
    cr_expect(dropped.count == ++n && dropped.start == arena + 2 * PAGE);
    mm_mremap(mm, arena + 6 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, arena + 8 * PAGE);
    cr_expect(dropped.count == ++n && dropped.start == arena + 8 * PAGE);
    mm_munmap(mm, arena + 3 * PAGE, PAGE);
    cr_expect_eq(dropped.count, ++n);
}

Test(mm, code_beyond_the_end_of_its_file)
{
    struct code_reader code = mm_code_reader(mm);
    size_t avail;
    int fd = memfd_create("code", 0);
    cr_assert_eq(ftruncate(fd, PAGE), 0);
    cr_assert_eq(mm_mmap(mm, arena, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0), arena);
    cr_expect(code.window(code.opaque, arena, &avail));
    cr_expect_null(code.window(code.opaque, arena + PAGE, &avail));
}

Test(mm, brk_has_room)
{
    mm_set_brk(mm, arena + 5);
    uint64_t start = arena + PAGE;
    cr_expect_eq(mm_brk(mm, 0), start);
    cr_expect_eq(mm_brk(mm, start + 3 * PAGE + 1), start + 3 * PAGE + 1);
    cr_expect(mm_is_mapped(mm, start, 4 * PAGE));
    cr_expect(poke(start + 3 * PAGE, 7));
    for (unsigned i = 0; i < 100; i++) {
        int64_t at = mm_mmap(mm, 0, UINT64_C(1) << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
        cr_assert(at > 0 && ((uint64_t)at < arena - (UINT64_C(1) << 30) || (uint64_t)at > start + (UINT64_C(1) << 32)));
    }
    cr_expect_eq(mm_brk(mm, start + (UINT64_C(1) << 28)), start + (UINT64_C(1) << 28));
    cr_expect_eq(mm_brk(mm, start + 1), start + 1);
    cr_expect(!mm_is_mapped(mm, start + PAGE, PAGE));
    cr_expect_eq(mm_brk(mm, start - 1), start + 1, "not below its start");
    cr_assert_eq(mm_mmap(mm, start + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), start + 4 * PAGE);
    cr_expect_eq(mm_brk(mm, start + 8 * PAGE), start + 1, "something is in the way");
    cr_expect_eq(mm_brk(mm, start + 4 * PAGE), start + 4 * PAGE);
    cr_expect_eq(peek(start + 3 * PAGE), 0, "new pages are zero");
}

Test(mm, shared_memory)
{
    int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
    cr_assert(id >= 0);
    int64_t a = mm_shmat(mm, id, 0, 0), b = mm_shmat(mm, id, arena + 5, SHM_RND | SHM_RDONLY);
    shmctl(id, IPC_RMID, NULL);
    cr_assert(a > 0);
    cr_expect_eq(b, arena);
    cr_expect(mm_is_mapped(mm, (uint64_t)a, 3 * PAGE) && !mm_is_mapped(mm, (uint64_t)a, 4 * PAGE));
    cr_expect(poke((uint64_t)a + PAGE, 9));
    cr_expect_eq(peek(arena + PAGE), 9);
    cr_expect(!poke(arena, 1));
    cr_expect_eq(mm_shmat(mm, id, arena + PAGE, 0), -EINVAL, "occupied");
    cr_expect_eq(mm_shmat(mm, id, arena + 1, 0), -EINVAL);
    cr_assert_eq(mm_mmap(mm, arena + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), arena + PAGE);
    cr_expect_eq(mm_shmdt(mm, arena), 0);
    cr_expect(!mm_is_mapped(mm, arena, PAGE) && mm_is_mapped(mm, arena + PAGE, PAGE), "what was mapped over it stays");
    cr_expect_eq(mm_shmdt(mm, arena), -EINVAL);
    cr_expect_eq(mm_shmdt(mm, (uint64_t)a), 0);
    cr_expect_eq(peek((uint64_t)a), -1);
}

Test(mm, mremap)
{
    enum { MOVE = MREMAP_MAYMOVE };
    cr_assert_eq(mm_mmap(mm, arena, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), arena);
    poke(arena, 1);
    poke(arena + PAGE, 2);
    cr_expect_eq(mm_mremap(mm, arena, 2 * PAGE, 4 * PAGE, 0, 0), arena, "grows where nothing is behind it");
    cr_expect(mm_is_mapped(mm, arena, 4 * PAGE));
    cr_expect_eq(peek(arena + PAGE), 2);
    cr_expect_eq(mm_mremap(mm, arena, 4 * PAGE, PAGE, 0, 0), arena, "shrinks");
    cr_expect(!mm_is_mapped(mm, arena + PAGE, PAGE));
    cr_assert_eq(mm_mmap(mm, arena + PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0), arena + PAGE);
    cr_expect_eq(mm_mremap(mm, arena, PAGE, 2 * PAGE, 0, 0), -ENOMEM);
    int64_t moved = mm_mremap(mm, arena, PAGE, 2 * PAGE, MOVE, 0);
    cr_assert(moved > 0 && (uint64_t)moved != arena);
    cr_expect_eq(peek((uint64_t)moved), 1);
    cr_expect_eq(peek(arena), -1);
    cr_expect(!mm_is_mapped(mm, arena, PAGE));
    uint64_t to = arena + 8 * PAGE;
    cr_expect_eq(mm_mremap(mm, (uint64_t)moved, 2 * PAGE, 2 * PAGE, MOVE | MREMAP_FIXED, to), to);
    cr_expect_eq(peek(to), 1);
    cr_expect_eq(mm_mremap(mm, to, 2 * PAGE, 2 * PAGE, MOVE | MREMAP_FIXED, to + PAGE), -EINVAL, "overlap");
    int64_t copy = mm_mremap(mm, to, 2 * PAGE, 2 * PAGE, MOVE | MREMAP_DONTUNMAP, 0);
    if (copy != -EINVAL) { /* Linux 5.7 */
        cr_expect_eq(peek((uint64_t)copy), 1);
        cr_expect_eq(peek(to), 0);
        cr_expect(mm_is_mapped(mm, to, 2 * PAGE));
    }
    int64_t shared = mm_mmap(mm, 0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(shared > 0);
    int64_t alias = mm_mremap(mm, (uint64_t)shared, 0, PAGE, MOVE, 0);
    cr_expect(alias > 0 && alias != shared && poke((uint64_t)alias, 77));
    cr_expect_eq(peek((uint64_t)shared), 77);
}

/* --- random changes against a model of each page --- */

struct page {
    int prot;    /* -1: not mapped */
    uint8_t tag; /* its first byte */
};

static void check_page(const struct page *m, uint64_t addr)
{
    cr_assert_eq(mm_protection(mm, addr), m->prot);
    /* x86 pages that can be written or executed can be read. */
    cr_assert_eq(peek(addr), m->prot > 0 ? m->tag : -1);
}

/* The lines that mm_print_maps writes for the arena. */
static void check_maps(const struct page *model)
{
    int fd = memfd_create("maps", 0);
    mm_print_maps(mm, fd, false);
    lseek(fd, 0, SEEK_SET);
    FILE *f = fdopen(fd, "r");
    char line[512], perms[5];
    unsigned long long start, end;
    int seen[PAGES];
    memset(seen, -1, sizeof seen);
    while (fgets(line, sizeof line, f)) {
        cr_assert_eq(sscanf(line, "%llx-%llx %4s", &start, &end, perms), 3);
        int prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
                   (perms[2] == 'x' ? PROT_EXEC : 0);
        for (uint64_t at = start; at < end; at += PAGE)
            if (at - arena < PAGES * PAGE)
                seen[(at - arena) / PAGE] = prot;
    }
    fclose(f);
    for (unsigned i = 0; i < PAGES; i++)
        cr_assert_eq(seen[i], model[i].prot);
}

Test(mm, random_changes_against_a_model)
{
    struct page model[PAGES];
    for (unsigned i = 0; i < PAGES; i++)
        model[i] = (struct page){-1, 0};
    for (unsigned n = 0; n < 4000; n++) {
        uint64_t first = rnd(PAGES), count = 1 + rnd(PAGES - first > 8 ? 8 : PAGES - first);
        uint64_t addr = arena + first * PAGE, len = count * PAGE;
        int prot = (int)rnd(8);
        unsigned mapped = 0;
        while (mapped < count && model[first + mapped].prot >= 0)
            mapped++;
        switch (rnd(5)) {
        case 0:
            cr_assert_eq(mm_mmap(mm, addr, len, (uint32_t)prot, ANON | MAP_FIXED, -1, 0), addr);
            for (uint64_t i = first; i < first + count; i++) {
                model[i] = (struct page){prot, 0};
                if (prot & PROT_WRITE)
                    cr_assert(poke(arena + i * PAGE, model[i].tag = (uint8_t)(1 + rnd(255))));
            }
            break;
        case 1:
            cr_assert_eq(mm_munmap(mm, addr, len), 0);
            for (uint64_t i = first; i < first + count; i++)
                model[i].prot = -1;
            break;
        case 2:
            cr_assert_eq(mm_mprotect(mm, addr, len, (uint32_t)prot), mapped == count ? 0 : -ENOMEM);
            for (uint64_t i = first; i < first + mapped; i++)
                model[i].prot = prot;
            break;
        case 3:
            cr_assert_eq(mm_madvise(mm, addr, len, MADV_DONTNEED), mapped == count ? 0 : -ENOMEM);
            for (uint64_t i = first; i < first + count; i++)
                model[i].tag = 0;
            break;
        default: {
            uint64_t to = rnd(PAGES - count + 1);
            if (!mapped || (to < first + mapped && first < to + mapped))
                break;
            /* One mapping of the host at a time: what mremap accepts. */
            int64_t r = mm_mremap(mm, addr, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, arena + to * PAGE);
            cr_assert_eq(r, arena + to * PAGE);
            model[to] = model[first];
            model[first].prot = -1;
        }
        }
        for (unsigned i = 0; i < PAGES; i++)
            check_page(&model[i], arena + i * PAGE);
        if (n % 64 == 0)
            check_maps(model);
    }
}
