/*
 * binfmt: hand-made executables and scripts, every reason to refuse one, and 100,000 random mutations of valid files
 * whose plans must keep the promises of plan.h. Files are built in a buffer of exactly their size, so that the
 * sanitizers see a read beyond it.
 */
#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "binfmt/plan.h"

enum { PAGE = 4096, FILE_BYTES = 0x3000, PHNUM = 4, MUTATIONS = 100000 };
#define LIMIT (UINT64_C(1) << 47)
#define LIMIT32 (UINT64_C(1) << 32)
static const char interp[] = "/lib/ld.so.1";

/* A file in one of the four formats; numbers are stored through put(). */
struct file {
    uint8_t *bytes;
    size_t size;
    bool wide, big;
};

static void put(struct file *f, size_t at, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        f->bytes[at + i] = (uint8_t)(v >> 8 * (f->big ? n - 1 - i : i));
}

#define PUT(f, at, type, member, v)                                                                                    \
    ((f)->wide ? put((f), (at) + offsetof(Elf64_##type, member), (v), sizeof(((Elf64_##type *)0)->member))             \
               : put((f), (at) + offsetof(Elf32_##type, member), (v), sizeof(((Elf32_##type *)0)->member)))
#define EHDR(f, member, v) PUT(f, 0, Ehdr, member, v)
#define PHDR(f, i, member, v) PUT(f, phdr_at(f, i), Phdr, member, v)

static size_t phdr_at(const struct file *f, unsigned i)
{
    return f->wide ? sizeof(Elf64_Ehdr) + i * sizeof(Elf64_Phdr) : sizeof(Elf32_Ehdr) + i * sizeof(Elf32_Phdr);
}

static void set_phdr(struct file *f, unsigned i, uint32_t type, uint32_t flags, uint64_t offset, uint64_t vaddr,
                     uint64_t filesz, uint64_t memsz, uint64_t align)
{
    PHDR(f, i, p_type, type);
    PHDR(f, i, p_flags, flags);
    PHDR(f, i, p_offset, offset);
    PHDR(f, i, p_vaddr, vaddr);
    PHDR(f, i, p_filesz, filesz);
    PHDR(f, i, p_memsz, memsz);
    PHDR(f, i, p_align, align);
}

/* Text at 0x400000 with the headers, data with a bss behind it, an interpreter, a stack that may not be executed. */
static struct file valid(bool wide, bool big)
{
    struct file f = {calloc(1, FILE_BYTES), FILE_BYTES, wide, big};
    memcpy(f.bytes, ELFMAG, SELFMAG);
    f.bytes[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
    f.bytes[EI_DATA] = big ? ELFDATA2MSB : ELFDATA2LSB;
    f.bytes[EI_VERSION] = EV_CURRENT;
    EHDR(&f, e_type, ET_EXEC);
    EHDR(&f, e_machine, EM_AARCH64);
    EHDR(&f, e_version, EV_CURRENT);
    EHDR(&f, e_entry, 0x400800);
    EHDR(&f, e_phoff, phdr_at(&f, 0));
    EHDR(&f, e_phentsize, wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
    EHDR(&f, e_phnum, PHNUM);
    set_phdr(&f, 0, PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x1234, 0x1234, 0x1000);
    set_phdr(&f, 1, PT_LOAD, PF_R | PF_W, 0x2100, 0x412100, 0x200, 0x5000, 0x10000);
    set_phdr(&f, 2, PT_INTERP, PF_R, 0x1000, 0x401000, sizeof interp, sizeof interp, 1);
    set_phdr(&f, 3, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 16);
    memcpy(f.bytes + 0x1000, interp, sizeof interp);
    return f;
}

static enum plan_error plan_of(const struct file *f, struct load_plan *plan)
{
    return elf_plan(f->bytes, f->size, PAGE, f->wide ? LIMIT : LIMIT32, plan);
}

Test(elf, valid_files_of_each_format)
{
    for (unsigned i = 0; i < 4; i++) {
        struct file f = valid(i & 1, i & 2);
        struct load_plan p;
        cr_assert_eq(plan_of(&f, &p), PLAN_OK);
        cr_expect_eq(p.elf_class, i & 1 ? ELFCLASS64 : ELFCLASS32);
        cr_expect_eq(p.elf_data, i & 2 ? ELFDATA2MSB : ELFDATA2LSB);
        cr_expect_eq(p.machine, EM_AARCH64);
        cr_expect_eq(p.entry, 0x400800);
        cr_expect_eq(p.phdr, 0x400000 + phdr_at(&f, 0));
        cr_expect_eq(p.phnum, PHNUM);
        cr_expect_eq(p.low, 0x400000);
        cr_expect_eq(p.high, 0x418000);
        cr_expect_eq(p.align, 0x10000);
        cr_expect_eq(p.nsegments, 2);
        cr_expect_eq(p.segment[0].prot, PROT_READ | PROT_EXEC);
        cr_expect_eq(p.segment[1].prot, PROT_READ | PROT_WRITE);
        cr_expect_eq(p.segment[1].memsz, 0x5000);
        cr_expect_str_eq(p.interp, interp);
        cr_expect(p.has_stack && !p.stack_exec && !p.position_independent);
        free(f.bytes);
    }
}

/* X(expected error, statement on f): each change to a valid 64-bit file is refused for its own reason. */
#define REFUSED(X)                                                                                                     \
    X(NOT_ELF, f.bytes[0] = 0)                                                                                         \
    X(NOT_ELF, f.size = 3)                                                                                             \
    X(NOT_ELF, f.size = 0)                                                                                             \
    X(HEADER_TRUNCATED, f.size = 4)                                                                                    \
    X(HEADER_TRUNCATED, f.size = sizeof(Elf64_Ehdr) - 1)                                                               \
    X(BAD_CLASS, f.bytes[EI_CLASS] = 3)                                                                                \
    X(BAD_DATA, f.bytes[EI_DATA] = 0)                                                                                  \
    X(BAD_VERSION, f.bytes[EI_VERSION] = 2)                                                                            \
    X(NOT_PROGRAM, EHDR(&f, e_type, ET_REL))                                                                           \
    X(NOT_PROGRAM, EHDR(&f, e_type, ET_CORE))                                                                          \
    X(BAD_PHENTSIZE, EHDR(&f, e_phentsize, sizeof(Elf32_Phdr)))                                                        \
    X(NO_PROGRAM_HEADERS, EHDR(&f, e_phnum, 0))                                                                        \
    X(TOO_MANY_HEADERS, EHDR(&f, e_phnum, 0xffff))                                                                     \
    X(HEADERS_TRUNCATED, EHDR(&f, e_phoff, FILE_BYTES - 100))                                                          \
    X(HEADERS_TRUNCATED, EHDR(&f, e_phoff, ~UINT64_C(0)))                                                              \
    X(HEADERS_TRUNCATED, f.size = sizeof(Elf64_Ehdr) + 10)                                                             \
    X(NO_SEGMENTS, (PHDR(&f, 0, p_type, PT_NULL), PHDR(&f, 1, p_type, PT_NOTE)))                                       \
    X(NO_SEGMENTS, (set_phdr(&f, 0, PT_LOAD, PF_R, 0, 0, 0, 0, 0), PHDR(&f, 1, p_type, PT_NOTE)))                      \
    X(SEGMENT_TRUNCATED, PHDR(&f, 1, p_offset, FILE_BYTES + 0x100))                                                    \
    X(SEGMENT_TRUNCATED, (PHDR(&f, 1, p_filesz, 0x2000), PHDR(&f, 1, p_offset, ~UINT64_C(0) - 0xeff)))                 \
    X(SEGMENT_TRUNCATED, f.size = 0x2200)                                                                              \
    X(SEGMENT_SIZES, PHDR(&f, 1, p_memsz, 0x1ff))                                                                      \
    X(SEGMENT_ADDRESS, PHDR(&f, 1, p_vaddr, LIMIT + 0x100))                                                            \
    X(SEGMENT_ADDRESS, PHDR(&f, 1, p_vaddr, UINT64_C(0xfffffffffffff100)))                                             \
    X(SEGMENT_ADDRESS, PHDR(&f, 1, p_memsz, ~UINT64_C(0)))                                                             \
    X(SEGMENT_ADDRESS, PHDR(&f, 1, p_memsz, LIMIT - 0x412100))                                                         \
    X(SEGMENT_ALIGNMENT, PHDR(&f, 1, p_vaddr, 0x412101))                                                               \
    X(BAD_ALIGNMENT, PHDR(&f, 1, p_align, 3))                                                                          \
    X(BAD_ALIGNMENT, PHDR(&f, 1, p_align, UINT64_C(1) << 63))                                                          \
    X(BAD_INTERP, PHDR(&f, 2, p_filesz, sizeof interp - 1))                                                            \
    X(BAD_INTERP, PHDR(&f, 2, p_filesz, 1))                                                                            \
    X(BAD_INTERP, PHDR(&f, 2, p_filesz, PLAN_MAX_INTERP + 1))                                                          \
    X(BAD_INTERP, PHDR(&f, 2, p_offset, FILE_BYTES))                                                                   \
    X(BAD_INTERP, f.bytes[0x1000] = 0)                                                                                 \
    X(TWO_INTERPS, set_phdr(&f, 3, PT_INTERP, PF_R, 0x1000, 0, sizeof interp, sizeof interp, 1))

Test(elf, refusals)
{
    struct load_plan p;
#define X(error, change)                                                                                               \
    {                                                                                                                  \
        struct file f = valid(true, false);                                                                            \
        change;                                                                                                        \
        f.bytes = realloc(f.bytes, f.size ? f.size : 1);                                                               \
        cr_expect_eq(plan_of(&f, &p), PLAN_##error, "%s: %s", #change, plan_error_text(plan_of(&f, &p)));              \
        free(f.bytes);                                                                                                 \
    }
    REFUSED(X)
#undef X
}

Test(elf, too_many_segments)
{
    enum { N = PLAN_MAX_SEGMENTS + 1 };
    struct file f = valid(true, false);
    struct load_plan p;
    EHDR(&f, e_phnum, N);
    for (unsigned i = 0; i < N; i++)
        set_phdr(&f, i, PT_LOAD, PF_R, 0, 0x400000 + i * PAGE, 0, PAGE, PAGE);
    cr_expect_eq(plan_of(&f, &p), PLAN_TOO_MANY_SEGMENTS);
    EHDR(&f, e_phnum, N - 1);
    cr_expect_eq(plan_of(&f, &p), PLAN_OK);
    cr_expect_eq(p.nsegments, PLAN_MAX_SEGMENTS);
    free(f.bytes);
}

Test(elf, every_error_has_its_sentence)
{
#define X(NAME, sentence) cr_expect_str_eq(plan_error_text(PLAN_##NAME), sentence);
    PLAN_ERRORS(X)
#undef X
}

/* What plan.h promises of a plan that is not an error. */
static void check_promises(const struct file *f, const struct load_plan *p, uint64_t limit)
{
    cr_assert(p->nsegments > 0 && p->nsegments <= PLAN_MAX_SEGMENTS);
    cr_assert(p->low < p->high && p->high <= limit && p->low % PAGE == 0 && p->high % PAGE == 0);
    cr_assert(p->align >= PAGE && !(p->align & (p->align - 1)));
    for (unsigned i = 0; i < p->nsegments; i++) {
        const struct plan_segment *s = &p->segment[i];
        cr_assert(s->filesz <= s->memsz && s->memsz > 0);
        cr_assert(s->offset <= f->size && s->filesz <= f->size - s->offset);
        cr_assert(s->vaddr >= p->low && s->vaddr < p->high && s->memsz <= p->high - s->vaddr);
        cr_assert(!s->filesz || s->vaddr % PAGE == s->offset % PAGE);
    }
    cr_assert(memchr(p->interp, 0, sizeof p->interp));
}

static uint64_t random_state = 88172645463325252u;

static uint64_t rnd(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* Values that sit on the edges of checks. */
static const uint64_t edges[] = {
    0, 1, 2, 3, 0x38, 0xfff, 0x1000, 0x2fff, 0x3000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, LIMIT - 0x1000,
    LIMIT - 1, LIMIT, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 0xfff, UINT64_MAX,
};

static void mutate(struct file *f, size_t headers)
{
    size_t at = rnd(4) ? rnd(headers) : rnd(f->size - 8);
    switch (rnd(4)) {
    case 0:
        f->bytes[at] = (uint8_t)rnd(256);
        break;
    case 1:
        f->bytes[at] ^= (uint8_t)(1 << rnd(8));
        break;
    case 2:
        put(f, at & ~(size_t)7, edges[rnd(ARRAY_SIZE(edges))], 8);
        break;
    default:
        put(f, at & ~(size_t)3, edges[rnd(ARRAY_SIZE(edges))], 4);
    }
}

Test(elf, random_mutations, .timeout = 60)
{
    static struct load_plan p;
    unsigned loadable = 0;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        struct file f = valid(i & 1, i & 2);
        for (uint64_t n = 1 + rnd(6); n > 0; n--)
            mutate(&f, phdr_at(&f, PHNUM));
        if (rnd(8) == 0) {
            f.size = rnd(FILE_BYTES);
            f.bytes = realloc(f.bytes, f.size ? f.size : 1);
        }
        enum plan_error e = elf_plan(f.bytes, f.size, PAGE, LIMIT, &p);
        if (e == PLAN_OK) {
            check_promises(&f, &p, LIMIT);
            loadable++;
        }
        free(f.bytes);
    }
    cr_expect(loadable > MUTATIONS / 20 && loadable < MUTATIONS, "%u of %u could be loaded", loadable, MUTATIONS);
}

/* --- scripts --- */

static const struct {
    const char *text;
    enum script_result result;
    const char *interp, *arg;
} scripts[] = {
    {"", SCRIPT_NO, "", ""},
    {"#", SCRIPT_NO, "", ""},
    {"echo", SCRIPT_NO, "", ""},
    {"#!/bin/sh\n", SCRIPT_YES, "/bin/sh", ""},
    {"#! \t/bin/sh \t\n", SCRIPT_YES, "/bin/sh", ""},
    {"#!/usr/bin/env python3 -u\nx", SCRIPT_YES, "/usr/bin/env", "python3 -u"},
    {"#!/bin/sh -e  x \n", SCRIPT_YES, "/bin/sh", "-e  x"},
    {"#!/bin/sh", SCRIPT_YES, "/bin/sh", ""},
    {"#!\n/bin/sh", SCRIPT_BAD, "", ""},
    {"#!   \n", SCRIPT_BAD, "", ""},
    {"#!", SCRIPT_BAD, "", ""},
};

Test(script, first_lines)
{
    for (unsigned i = 0; i < ARRAY_SIZE(scripts); i++) {
        struct script_plan s;
        size_t n = strlen(scripts[i].text);
        uint8_t *exact = malloc(n + !n);
        memcpy(exact, scripts[i].text, n);
        enum script_result r = script_plan(exact, n, &s);
        cr_assert_eq(r, scripts[i].result, "%s", scripts[i].text);
        if (r == SCRIPT_YES) {
            cr_expect_str_eq(s.interp, scripts[i].interp);
            cr_expect_str_eq(s.arg, scripts[i].arg);
        }
        free(exact);
    }
}

Test(script, random_bytes)
{
    static const char letters[] = "#! \t\n/abc";
    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t n = rnd(SCRIPT_HEAD + 10);
        uint8_t *text = malloc(n + !n);
        for (size_t j = 0; j < n; j++)
            text[j] = j < 2 ? "#!"[j] : (uint8_t)letters[rnd(sizeof letters)];
        struct script_plan s;
        if (script_plan(text, n, &s) == SCRIPT_YES)
            cr_assert(s.interp[0] && memchr(s.interp, 0, sizeof s.interp) && memchr(s.arg, 0, sizeof s.arg) &&
                      !strpbrk(s.interp, " \t\n"));
        free(text);
    }
}
