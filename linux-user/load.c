/*
 * Loads a planned ELF program as Linux does (elf(5), fs/binfmt_elf.c's observable behaviour; the initial stack is the
 * System V psABI's, figure 3.9).
 */
#include "linux-user/load.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "exec/target.h"
#include "linux-user/mm.h"
#include "linux-user/options.h"
#include "linux-user/sysroot.h"
#include "linux-user/uaccess.h"
#include "linux-user/vdso.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum { PAGE = 4096, MAX_AUXV = 32, RANDOM_BYTES = 16, CLOCK_TICKS = 100 };

/* --- files --- */

int program_open(struct program_file *f, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *f = (struct program_file){.fd = -1};
    return fd < 0 ? -errno : program_take(f, fd);
}

int program_take(struct program_file *f, int fd)
{
    struct stat st;
    int e = 0;
    *f = (struct program_file){.fd = fd};
    if (fstat(f->fd, &st) < 0)
        e = -errno;
    else if (!S_ISREG(st.st_mode))
        e = S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
    else if (st.st_size) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, f->fd, 0);
        if (p == MAP_FAILED)
            e = -errno;
        f->bytes = p;
        f->size = (size_t)st.st_size;
    }
    if (e) {
        close(f->fd);
        *f = (struct program_file){.fd = -1};
    }
    return e;
}

void program_close(struct program_file *f)
{
    if (f->fd < 0)
        return;
    if (f->size)
        munmap((void *)f->bytes, f->size);
    close(f->fd);
    f->fd = -1;
    f->size = 0;
}

const char *program_plan(const struct linux_abi *abi, struct program_file *f)
{
    const struct target *t = abi->target;
    unsigned bits = t->address_bits < 47 ? t->address_bits : 47;
    enum plan_error e = elf_plan(f->bytes, f->size, t->page_size, UINT64_C(1) << bits, &f->plan);
    if (e)
        return plan_error_text(e);
    if (f->plan.machine != t->elf_machine || f->plan.elf_class != t->elf_class || f->plan.elf_data != t->elf_data)
        return "made for another machine than the program";
    return (f->plan.flags & abi->elf_flags_mask) != abi->elf_flags ? "needs an ABI that is not supported" : NULL;
}

const char *program_loader(const struct linux_abi *abi, const struct program_file *f, const char *wanted,
                           const char **sysroot, char root[PATH_MAX], char path[PATH_MAX])
{
    const char *loader = f->plan.interp;
    *sysroot = sysroot_find(wanted, abi->triple, *loader ? loader : NULL, root);
    return *loader ? sysroot_choose(*sysroot, loader, path) : loader;
}

/* --- segments --- */

/* The file's part of a segment, the zeros behind it on its last page, then whole pages of zeros. */
static int map_segment(struct mm *mm, const struct program_file *f, const struct plan_segment *s, uint64_t bias)
{
    uint64_t start = ALIGN_DOWN(s->vaddr, (uint64_t)PAGE), file_end = s->vaddr + s->filesz;
    uint64_t mapped = s->filesz ? ALIGN_UP(file_end, (uint64_t)PAGE) : start;
    uint64_t end = ALIGN_UP(s->vaddr + s->memsz, (uint64_t)PAGE);
    int64_t r = 0;
    if (s->filesz) {
        r = mm_mmap(mm, start + bias, mapped - start, s->prot, MAP_PRIVATE | MAP_FIXED, f->fd,
                    ALIGN_DOWN(s->offset, (uint64_t)PAGE));
        if (r < 0)
            return (int)r;
        /* Zeros only where a program could have written itself: Linux ignores a read-only page here, too. */
        static const uint8_t zeros[PAGE];
        if (s->memsz > s->filesz && s->prot & PROT_WRITE)
            copy_recoverably((void *)(uintptr_t)(file_end + bias), zeros, mapped - file_end);
    }
    if (end > mapped)
        r = mm_mmap(mm, mapped + bias, end - mapped, s->prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return r < 0 ? (int)r : 0;
}

/* Reserves the whole span, so that the segments keep their distance; answers the load bias in *bias. */
static int reserve(struct mm *mm, const struct program_file *f, bool is_loader, uint64_t *bias)
{
    const struct load_plan *plan = &f->plan;
    uint64_t size = plan->high - plan->low, align = plan->align, at = plan->low;
    uint32_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (!plan->position_independent) {
        flags |= MAP_FIXED_NOREPLACE;
    } else if (is_loader) {
        at = mm_loader_place(mm, f->fd, size);
    } else {
        at = ALIGN_UP(mm_program_place(mm, f->fd), align);
    }
    uint64_t room = at || align <= PAGE ? size : size + align;
    int64_t r = mm_mmap(mm, at, room, PROT_NONE, flags, -1, 0);
    if (r < 0)
        return r == -EEXIST || r == -EPERM ? -ENOMEM : (int)r;
    uint64_t start = plan->position_independent ? ALIGN_UP((uint64_t)r, align) : (uint64_t)r;
    if (start > (uint64_t)r)
        mm_munmap(mm, (uint64_t)r, start - (uint64_t)r);
    if ((uint64_t)r + room > start + size)
        mm_munmap(mm, start + size, (uint64_t)r + room - start - size);
    *bias = start - plan->low;
    return 0;
}

int program_map(struct mm *mm, const struct program_file *f, bool is_loader, uint64_t *bias)
{
    int r = reserve(mm, f, is_loader, bias);
    for (unsigned i = 0; i < f->plan.nsegments && !r; i++)
        r = map_segment(mm, f, &f->plan.segment[i], *bias);
    return r;
}

/* --- the stack --- */

/* The initial stack under construction: built in metic's memory, copied to the guest's when its size is known. */
struct stack {
    uint64_t top;      /* guest address behind the last byte */
    uint8_t *bytes;
    size_t size, free; /* bytes[free, size) are filled */
};

static uint64_t push(struct stack *s, const void *data, size_t n)
{
    if (s->free < n)
        return 0;
    s->free -= n;
    memcpy(s->bytes + s->free, data, n);
    return s->top - (s->size - s->free);
}

static unsigned count_strings(const char *const *v, size_t *bytes)
{
    unsigned n = 0;
    for (; v[n]; n++)
        *bytes += strlen(v[n]) + 1;
    return n;
}

/* Strings one behind the other in rising order; their addresses to `at`. */
static uint64_t push_strings(struct stack *s, const char *const *v, unsigned n, uint64_t *at)
{
    uint64_t last = s->top - (s->size - s->free);
    for (unsigned i = n; i-- > 0;)
        last = at[i] = push(s, v[i], strlen(v[i]) + 1);
    return last;
}

struct auxv {
    uint64_t v[2 * MAX_AUXV];
    unsigned n;
};

static void aux(struct auxv *a, uint64_t type, uint64_t value)
{
    a->v[a->n++] = type;
    a->v[a->n++] = value;
}

static void fill_auxv(struct auxv *a, const struct process *p, const struct load_plan *plan, uint64_t random,
                      uint64_t name, uint64_t platform)
{
    const struct linux_abi *abi = p->abi;
    aux(a, AT_SYSINFO_EHDR, p->vdso_start);
    aux(a, AT_MINSIGSTKSZ, abi->minsigstksz);
    aux(a, AT_HWCAP, abi->hwcap);
    aux(a, AT_PAGESZ, PAGE);
    aux(a, AT_CLKTCK, CLOCK_TICKS);
    aux(a, AT_PHDR, p->phdr);
    aux(a, AT_PHENT, plan->phentsize);
    aux(a, AT_PHNUM, plan->phnum);
    aux(a, AT_BASE, p->interp_base);
    aux(a, AT_FLAGS, 0);
    aux(a, AT_ENTRY, p->entry);
    aux(a, AT_UID, getuid());
    aux(a, AT_EUID, geteuid());
    aux(a, AT_GID, getgid());
    aux(a, AT_EGID, getegid());
    aux(a, AT_SECURE, getauxval(AT_SECURE));
    aux(a, AT_RANDOM, random);
    aux(a, AT_HWCAP2, abi->hwcap2);
    aux(a, AT_EXECFN, name);
    if (platform)
        aux(a, AT_PLATFORM, platform);
    aux(a, AT_NULL, 0);
}

/* The bytes of AT_RANDOM: the same for the same seed. */
static bool random_bytes(const struct options *o, uint8_t bytes[RANDOM_BYTES])
{
    if (!o->has_seed)
        return getrandom(bytes, RANDOM_BYTES, 0) == RANDOM_BYTES;
    uint64_t x = o->seed;
    for (unsigned i = 0; i < RANDOM_BYTES; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX generator */
        bytes[i] = (uint8_t)(x >> 56);
    }
    return true;
}

static int fill_stack(struct process *p, const struct program *prog, struct stack *s, unsigned argc, unsigned envc,
                      uint64_t *addresses)
{
    uint64_t zero = 0, platform = 0, sp;
    uint8_t random[RANDOM_BYTES];
    struct auxv auxv = {.n = 0};

    push(s, &zero, sizeof zero);
    uint64_t name = push(s, prog->name, strlen(prog->name) + 1);
    p->env_end = s->top - (s->size - s->free);
    p->env_start = p->arg_end = push_strings(s, prog->envp, envc, addresses + argc + 1);
    p->arg_start = push_strings(s, prog->argv, argc, addresses);
    if (p->abi->platform)
        platform = push(s, p->abi->platform, strlen(p->abi->platform) + 1);
    if (!random_bytes(p->options, random))
        return -EIO;
    s->free = ALIGN_DOWN(s->free, (size_t)16);
    uint64_t random_at = push(s, random, sizeof random);

    fill_auxv(&auxv, p, &prog->file.plan, random_at, name, platform);
    size_t words = 1 + (argc + 1) + (envc + 1) + auxv.n;
    if (words & 1) /* the stack pointer is a multiple of 16 */
        push(s, &zero, sizeof zero);
    p->auxv_end = s->top - (s->size - s->free);
    p->auxv_start = push(s, auxv.v, auxv.n * sizeof auxv.v[0]);
    push(s, addresses, (argc + 1 + envc + 1) * sizeof *addresses);
    uint64_t count = argc;
    sp = push(s, &count, sizeof count);
    p->stack_start = sp;
    return copy_recoverably((void *)(uintptr_t)sp, s->bytes + s->free, s->size - s->free);
}

static int make_stack(struct process *p, const struct program *prog, uint64_t top, uint64_t size)
{
    size_t bytes = strlen(prog->name) + 1;
    unsigned argc = count_strings(prog->argv, &bytes), envc = count_strings(prog->envp, &bytes);
    size_t need = bytes + (argc + envc + 2 * MAX_AUXV + 16) * sizeof(uint64_t);
    if (need > size / 4)
        return -E2BIG;
    struct stack s = {.top = top, .size = ALIGN_UP(need, (size_t)16)};
    s.free = s.size;
    s.bytes = calloc(1, s.size);
    uint64_t *addresses = calloc(argc + envc + 2, sizeof *addresses);
    int r = s.bytes && addresses ? fill_stack(p, prog, &s, argc, envc, addresses) : -ENOMEM;
    free(s.bytes);
    free(addresses);
    return r;
}

/* --- the vDSO --- */

static int map_vdso(struct process *p)
{
    uint8_t image[VDSO_BYTES];
    uint32_t sigreturn = vdso_build(p->abi->vdso, p->abi->target->elf_machine, image);
    int64_t at = mm_map_kind(p->mm, 0, VDSO_BYTES, PROT_READ | PROT_WRITE, 0, AREA_VDSO);
    if (at < 0)
        return (int)at;
    struct guest_mark mark = guest_mark_of(p);
    memcpy(image + sizeof image - sizeof mark, &mark, sizeof mark);
    memcpy((void *)(uintptr_t)at, image, sizeof image);
    p->vdso_start = (uint64_t)at;
    p->vdso_end = p->vdso_start + VDSO_BYTES;
    p->sigreturn = p->vdso_start + sigreturn;
    return (int)mm_mprotect(p->mm, p->vdso_start, VDSO_BYTES, PROT_READ | PROT_EXEC);
}

/* Where /proc says that code and data are. */
static void note_segments(struct process *p, const struct load_plan *plan, uint64_t bias)
{
    p->code_start = p->data_start = plan->low + bias;
    for (unsigned i = 0; i < plan->nsegments; i++) {
        const struct plan_segment *s = &plan->segment[i];
        uint64_t start = s->vaddr + bias, end = start + s->filesz;
        if (s->prot & PROT_EXEC && end > p->code_end)
            p->code_end = end;
        if (start > p->data_start)
            p->data_start = start;
        if (end > p->data_end)
            p->data_end = end;
    }
    if (!p->code_end)
        p->code_end = p->data_end;
}

int program_load(struct process *p, struct cpu *cpu, const struct program *prog)
{
    const struct load_plan *plan = &prog->file.plan;
    guest_record_fill(p);
    uint64_t bias, loader_bias, stack_size = ALIGN_UP(prog->stack_size, (uint64_t)PAGE);
    int r = program_map(p->mm, &prog->file, false, &bias);
    if (r)
        return r;
    mm_set_brk(p->mm, plan->high + bias);
    note_segments(p, plan, bias);
    p->entry = plan->entry + bias;
    p->phdr = plan->phdr ? plan->phdr + bias : 0;
    p->phnum = plan->phnum;

    /* The stack comes first of what is placed from the top. */
    uint32_t prot = PROT_READ | PROT_WRITE | (plan->has_stack && plan->stack_exec ? PROT_EXEC : 0);
    int64_t stack = mm_map_kind(p->mm, 0, stack_size, prot, MAP_NORESERVE, AREA_STACK);
    if (stack < 0)
        return (int)stack;
    uint64_t start = p->entry;
    if (prog->loader.fd >= 0) {
        r = program_map(p->mm, &prog->loader, true, &loader_bias);
        if (r)
            return r;
        p->interp_base = loader_bias;
        start = prog->loader.plan.entry + loader_bias;
    }
    r = map_vdso(p);
    if (!r)
        r = make_stack(p, prog, (uint64_t)stack + stack_size, stack_size);
    if (!r)
        guest_show_to_host(p, true);
    if (!r)
        p->abi->start(cpu, start, p->stack_start);
    return r;
}
