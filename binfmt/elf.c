/*
 * ELF executables: both word sizes and both byte orders, after the System V gABI (chapters 4 and 5) and what Linux
 * makes of it (elf(5)). A pure function of the file's bytes. Section headers are not looked at.
 */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "binfmt/plan.h"

enum { MAX_HEADER_BYTES = 65536 };

struct reader {
    const uint8_t *bytes;
    size_t size;
    bool wide, big;
};

/* The caller has checked that [at, at + n) is inside. */
static uint64_t field(const struct reader *r, size_t at, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)r->bytes[at + i] << 8 * (r->big ? n - 1 - i : i);
    return v;
}

static bool inside(const struct reader *r, uint64_t at, uint64_t n)
{
    return at <= r->size && n <= r->size - at;
}

/* Reads a member that both classes have; the struct is at offset `at` of the file. */
#define MEMBER(r, at, type, member)                                                               \
    ((r)->wide ? field((r), (at) + offsetof(Elf64_##type, member), sizeof(((Elf64_##type *)0)->member)) \
               : field((r), (at) + offsetof(Elf32_##type, member), sizeof(((Elf32_##type *)0)->member)))
#define SIZE_OF(r, type) ((r)->wide ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

const char *plan_error_text(enum plan_error e)
{
    static const char *const text[] = {
#define X(NAME, sentence) sentence,
        PLAN_ERRORS(X)
#undef X
    };
    return (unsigned)e < ARRAY_SIZE(text) ? text[e] : "unknown reason";
}

bool elf_identify(const uint8_t *bytes, size_t n, uint8_t *elf_class, uint8_t *elf_data, uint16_t *machine)
{
    if (n < EI_NIDENT + 4 || memcmp(bytes, ELFMAG, SELFMAG))
        return false;
    *elf_class = bytes[EI_CLASS];
    *elf_data = bytes[EI_DATA];
    struct reader r = {bytes, n, false, *elf_data == ELFDATA2MSB};
    *machine = (uint16_t)MEMBER(&r, 0, Ehdr, e_machine);
    return true;
}

bool elf_is_program(const uint8_t *bytes)
{
    struct reader r = {bytes, EI_NIDENT + 4, false, bytes[EI_DATA] == ELFDATA2MSB};
    unsigned type = (unsigned)MEMBER(&r, 0, Ehdr, e_type);
    return type == ET_EXEC || type == ET_DYN;
}

static enum plan_error read_header(struct reader *r, struct load_plan *plan)
{
    if (r->size < SELFMAG || memcmp(r->bytes, ELFMAG, SELFMAG))
        return PLAN_NOT_ELF;
    if (!elf_identify(r->bytes, r->size, &plan->elf_class, &plan->elf_data, &plan->machine))
        return PLAN_HEADER_TRUNCATED;
    if (plan->elf_class != ELFCLASS32 && plan->elf_class != ELFCLASS64)
        return PLAN_BAD_CLASS;
    if (plan->elf_data != ELFDATA2LSB && plan->elf_data != ELFDATA2MSB)
        return PLAN_BAD_DATA;
    r->wide = plan->elf_class == ELFCLASS64;
    r->big = plan->elf_data == ELFDATA2MSB;
    if (r->size < SIZE_OF(r, Ehdr))
        return PLAN_HEADER_TRUNCATED;
    if (r->bytes[EI_VERSION] != EV_CURRENT)
        return PLAN_BAD_VERSION;
    plan->osabi = r->bytes[EI_OSABI];
    plan->flags = (uint32_t)MEMBER(r, 0, Ehdr, e_flags);
    plan->entry = MEMBER(r, 0, Ehdr, e_entry);
    plan->phnum = (uint16_t)MEMBER(r, 0, Ehdr, e_phnum);
    plan->phentsize = (uint16_t)MEMBER(r, 0, Ehdr, e_phentsize);
    unsigned type = (unsigned)MEMBER(r, 0, Ehdr, e_type);
    if (!elf_is_program(r->bytes))
        return PLAN_NOT_PROGRAM;
    plan->position_independent = type == ET_DYN;
    if (!plan->phnum)
        return PLAN_NO_PROGRAM_HEADERS;
    if (plan->phentsize != SIZE_OF(r, Phdr))
        return PLAN_BAD_PHENTSIZE;
    if ((uint32_t)plan->phnum * plan->phentsize > MAX_HEADER_BYTES)
        return PLAN_TOO_MANY_HEADERS;
    if (!inside(r, MEMBER(r, 0, Ehdr, e_phoff), (uint32_t)plan->phnum * plan->phentsize))
        return PLAN_HEADERS_TRUNCATED;
    return PLAN_OK;
}

static enum plan_error read_segment(const struct reader *r, size_t at, uint32_t page_size, uint64_t limit,
                                    struct load_plan *plan)
{
    uint64_t flags = MEMBER(r, at, Phdr, p_flags), align = MEMBER(r, at, Phdr, p_align);
    struct plan_segment s = {
        .vaddr = MEMBER(r, at, Phdr, p_vaddr),
        .memsz = MEMBER(r, at, Phdr, p_memsz),
        .offset = MEMBER(r, at, Phdr, p_offset),
        .filesz = MEMBER(r, at, Phdr, p_filesz),
        .prot = (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0),
    };
    if (!s.memsz && !s.filesz)
        return PLAN_OK;
    if (s.filesz > s.memsz)
        return PLAN_SEGMENT_SIZES;
    if (!inside(r, s.offset, s.filesz))
        return PLAN_SEGMENT_TRUNCATED;
    if (s.vaddr >= limit || s.memsz > limit - s.vaddr || limit - s.vaddr - s.memsz < page_size)
        return PLAN_SEGMENT_ADDRESS;
    if (s.filesz && (s.vaddr ^ s.offset) & (page_size - 1))
        return PLAN_SEGMENT_ALIGNMENT;
    if (align & (align - 1) || align > limit)
        return PLAN_BAD_ALIGNMENT;
    if (plan->nsegments == PLAN_MAX_SEGMENTS)
        return PLAN_TOO_MANY_SEGMENTS;
    uint64_t low = s.vaddr & ~(uint64_t)(page_size - 1);
    uint64_t high = ALIGN_UP(s.vaddr + s.memsz, (uint64_t)page_size);
    if (!plan->nsegments || low < plan->low)
        plan->low = low;
    if (high > plan->high)
        plan->high = high;
    if (align > plan->align)
        plan->align = align;
    /* The headers' address in memory: the segment that holds their place in the file. */
    uint64_t phoff = MEMBER(r, 0, Ehdr, e_phoff);
    if (phoff >= s.offset && phoff - s.offset < s.filesz)
        plan->phdr = s.vaddr + (phoff - s.offset);
    plan->segment[plan->nsegments++] = s;
    return PLAN_OK;
}

static enum plan_error read_interp(const struct reader *r, size_t at, struct load_plan *plan)
{
    uint64_t offset = MEMBER(r, at, Phdr, p_offset), n = MEMBER(r, at, Phdr, p_filesz);
    if (plan->interp[0])
        return PLAN_TWO_INTERPS;
    if (n < 2 || n > PLAN_MAX_INTERP || !inside(r, offset, n) || r->bytes[offset + n - 1] || !r->bytes[offset])
        return PLAN_BAD_INTERP;
    memcpy(plan->interp, r->bytes + offset, n);
    return PLAN_OK;
}

/* Linux ABI extensions: note NT_GNU_PROPERTY_TYPE_0, an array of properties. A broken note is ignored, as by Linux. */
static void read_property(const struct reader *r, size_t at, struct load_plan *plan)
{
    enum { NOTE_HEADER = 16, PROPERTY_HEADER = 8, FEATURE_1_AND = 0xc0000000 };
    uint64_t offset = MEMBER(r, at, Phdr, p_offset), n = MEMBER(r, at, Phdr, p_filesz);
    if (!inside(r, offset, n) || n < NOTE_HEADER || field(r, offset, 4) != 4 ||
        field(r, offset + 8, 4) != NT_GNU_PROPERTY_TYPE_0 || memcmp(r->bytes + offset + 12, "GNU", 4))
        return;
    uint64_t end = field(r, offset + 4, 4);
    if (end > n - NOTE_HEADER)
        return;
    end += offset + NOTE_HEADER;
    for (uint64_t p = offset + NOTE_HEADER; end - p >= PROPERTY_HEADER;) {
        uint32_t type = (uint32_t)field(r, p, 4), size = (uint32_t)field(r, p + 4, 4);
        p += PROPERTY_HEADER;
        if (size > end - p)
            return;
        if (type == (uint32_t)FEATURE_1_AND && size == 4)
            plan->feature_1 = (uint32_t)field(r, p, 4);
        uint64_t step = ALIGN_UP((uint64_t)size, (uint64_t)(r->wide ? 8 : 4));
        if (step > end - p)
            return;
        p += step;
    }
}

enum plan_error elf_plan(const uint8_t *bytes, size_t n, uint32_t page_size, uint64_t limit, struct load_plan *plan)
{
    struct reader r = {bytes, n, false, false};
    memset(plan, 0, sizeof *plan);
    enum plan_error e = read_header(&r, plan);
    if (e)
        return e;
    plan->align = page_size;
    uint64_t phoff = MEMBER(&r, 0, Ehdr, e_phoff);
    for (unsigned i = 0; i < plan->phnum && !e; i++) {
        size_t at = phoff + (size_t)i * plan->phentsize;
        switch (MEMBER(&r, at, Phdr, p_type)) {
        case PT_LOAD:
            e = read_segment(&r, at, page_size, limit, plan);
            break;
        case PT_INTERP:
            e = read_interp(&r, at, plan);
            break;
        case PT_GNU_STACK:
            plan->has_stack = true;
            plan->stack_exec = MEMBER(&r, at, Phdr, p_flags) & PF_X;
            break;
        case PT_GNU_PROPERTY:
            read_property(&r, at, plan);
            break;
        }
    }
    if (!e && !plan->nsegments)
        e = PLAN_NO_SEGMENTS;
    return e;
}
