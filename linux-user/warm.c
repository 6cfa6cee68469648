/*
 * Filling the translation cache ahead: see warm.h. Where functions begin is told by the ELF file: its entry, the
 * dynamic and the static symbol table (System V gABI, "Symbol Table"), and the binary search table of .eh_frame_hdr
 * (Linux Standard Base, "Exception Frames"), which stripped files have, too.
 */
#include "linux-user/warm.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "exec/disk.h"
#include "exec/exec.h"
#include "linux-user/load.h"
#include "linux-user/mm.h"

enum { SETTLED_SECONDS = 3 };

/* Guest addresses to begin at. */
struct seeds {
    uint64_t *pc;
    size_t n, room;
    uint64_t start, end; /* of executable segments, before the bias */
    uint64_t bias;
};

static void add(struct seeds *s, uint64_t at)
{
    if (at < s->start || at >= s->end)
        return;
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->pc = realloc(s->pc, s->room * sizeof *s->pc);
        CHECK(s->pc);
    }
    s->pc[s->n++] = at + s->bias;
}

/* n bytes at an offset of the file, or NULL. */
static const void *bytes_at(const struct program_file *f, uint64_t offset, uint64_t n)
{
    return offset <= f->size && n <= f->size - offset ? f->bytes + offset : NULL;
}

static void add_symbols(struct seeds *s, const struct program_file *f, const Elf64_Ehdr *e)
{
    for (unsigned i = 0; i < e->e_shnum; i++) {
        Elf64_Shdr section;
        const void *p = bytes_at(f, e->e_shoff + (uint64_t)i * sizeof section, sizeof section);
        if (!p)
            return;
        memcpy(&section, p, sizeof section);
        if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM)
            continue;
        for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
            Elf64_Sym symbol;
            p = bytes_at(f, section.sh_offset + at, sizeof symbol);
            if (!p)
                break;
            memcpy(&symbol, p, sizeof symbol);
            if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF)
                add(s, symbol.st_value);
        }
    }
}

/* A table of pairs of 32-bit distances from the section's address, the form all linkers make. */
static void add_unwind_table(struct seeds *s, const struct program_file *f, const Elf64_Phdr *segment)
{
    enum { VERSION = 1, SDATA4_PCREL = 0x1b, UDATA4 = 0x03, SDATA4_DATAREL = 0x3b, HEAD = 12, ROW = 8 };
    const uint8_t *p = bytes_at(f, segment->p_offset, HEAD);
    uint32_t n;
    if (!p || p[0] != VERSION || p[1] != SDATA4_PCREL || p[2] != UDATA4 || p[3] != SDATA4_DATAREL)
        return;
    memcpy(&n, p + 8, sizeof n);
    p = bytes_at(f, segment->p_offset + HEAD, (uint64_t)n * ROW);
    for (uint32_t i = 0; p && i < n; i++) {
        int32_t distance;
        memcpy(&distance, p + (size_t)i * ROW, sizeof distance);
        add(s, segment->p_vaddr + (int64_t)distance);
    }
}

/* DF_1_PIE in the dynamic section: a program, not a library. */
static bool is_pie(const struct program_file *f, const Elf64_Phdr *dynamic)
{
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->p_filesz; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn d;
        const void *p = bytes_at(f, dynamic->p_offset + at, sizeof d);
        if (!p)
            return false;
        memcpy(&d, p, sizeof d);
        if (d.d_tag == DT_FLAGS_1)
            return d.d_un.d_val & DF_1_PIE;
    }
    return false;
}

static void find_seeds(struct seeds *s, const struct program_file *f, const Elf64_Ehdr *e)
{
    add(s, e->e_entry);
    add_symbols(s, f, e);
    for (unsigned i = 0; i < e->e_phnum; i++) {
        Elf64_Phdr segment;
        const void *p = bytes_at(f, e->e_phoff + (uint64_t)i * sizeof segment, sizeof segment);
        if (p && (memcpy(&segment, p, sizeof segment), segment.p_type == PT_GNU_EH_FRAME))
            add_unwind_table(s, f, &segment);
    }
}

/* What the program headers say of the code; false: there is none. */
static bool find_code(struct seeds *s, const struct program_file *f, const Elf64_Ehdr *e, bool *is_library)
{
    s->start = UINT64_MAX;
    *is_library = e->e_type == ET_DYN;
    for (unsigned i = 0; i < e->e_phnum; i++) {
        Elf64_Phdr p;
        const void *at = bytes_at(f, e->e_phoff + (uint64_t)i * sizeof p, sizeof p);
        if (!at)
            return false;
        memcpy(&p, at, sizeof p);
        if (p.p_type == PT_LOAD && p.p_flags & PF_X) {
            s->start = p.p_vaddr < s->start ? p.p_vaddr : s->start;
            s->end = p.p_vaddr + p.p_filesz > s->end ? p.p_vaddr + p.p_filesz : s->end;
        } else if (p.p_type == PT_DYNAMIC && is_pie(f, &p)) {
            *is_library = false;
        }
    }
    return s->start < s->end;
}

/* Files that were just unpacked are stored when their times can't be those of another change any more. */
static void settle(int fd)
{
    struct stat st;
    if (!fstat(fd, &st) && time(NULL) - st.st_ctime < SETTLED_SECONDS)
        sleep(SETTLED_SECONDS);
}

static uint64_t translate(const struct disk *d, const struct linux_abi *abi, const struct program_file *f)
{
    struct seeds s = {0};
    bool is_library;
    uint64_t stored = 0;
    Elf64_Ehdr e;
    memcpy(&e, f->bytes, sizeof e);
    if (!find_code(&s, f, &e, &is_library))
        return 0;
    settle(f->fd);
    struct mm *mm = mm_new(abi->target->address_bits, 0, NULL);
    if (!mm)
        return 0;
    mm_set_secret(mm, disk_secret(d));
    const struct code_reader code = mm_code_reader(mm);
    const struct exec_options o = {.engine = ENGINE_JIT, .disk = d};
    struct exec *x = exec_new(abi->target, &code, &o);
    struct cpu *cpu = x ? cpu_new(x) : NULL;
    if (cpu && !program_map(mm, f, is_library, &s.bias)) {
        mm_set_exec(mm, x);
        find_seeds(&s, f, &e);
        stored = exec_warm(cpu, s.pc, s.n);
    }
    free(s.pc);
    return stored;
}

uint64_t warm_file(const struct disk *d, const char *path)
{
    struct program_file f;
    uint8_t elf_class, elf_data;
    uint16_t machine;
    if (program_open(&f, path))
        return 0;
    bool ok = f.size > sizeof(Elf64_Ehdr) && elf_identify(f.bytes, f.size, &elf_class, &elf_data, &machine);
    const struct target *target = ok ? target_by_elf(machine, elf_class, elf_data) : NULL;
    const struct linux_abi *abi = target ? linux_abi_of(target) : NULL;
    uint64_t stored = abi && elf_class == ELFCLASS64 && !program_plan(abi, &f) ? translate(d, abi, &f) : 0;
    program_close(&f);
    return stored;
}
