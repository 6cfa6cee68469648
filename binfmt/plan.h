/*
 * What to do to start a program: a file's bytes in, a plan out. Pure functions; the users (linux-user, bsd-user,
 * boards) map what the plan says. All bytes are untrusted: whatever a plan contains has been checked against the file's
 * size and the guest's address range.
 */
#ifndef BINFMT_PLAN_H
#define BINFMT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLAN_MAX_SEGMENTS = 64, PLAN_MAX_INTERP = 4096, SCRIPT_HEAD = 256 };

/* X(NAME, sentence): every reason to refuse a file. */
#define PLAN_ERRORS(X)                                                                            \
    X(OK, "the file can be loaded")                                                               \
    X(NOT_ELF, "the file does not begin with the ELF magic number")                               \
    X(HEADER_TRUNCATED, "the file is shorter than an ELF header")                                 \
    X(BAD_CLASS, "the ELF header gives a word size that is neither 32 nor 64 bits")               \
    X(BAD_DATA, "the ELF header gives a byte order that is neither little nor big")               \
    X(BAD_VERSION, "the ELF header gives an unknown version")                                     \
    X(NOT_PROGRAM, "the ELF file is neither an executable nor a shared object")                   \
    X(BAD_PHENTSIZE, "the program headers have an unexpected size")                               \
    X(NO_PROGRAM_HEADERS, "the ELF file has no program headers")                                  \
    X(TOO_MANY_HEADERS, "the program headers take more than 64 KiB")                              \
    X(HEADERS_TRUNCATED, "the program headers lie beyond the end of the file")                    \
    X(NO_SEGMENTS, "the ELF file has no segment to load")                                         \
    X(TOO_MANY_SEGMENTS, "the ELF file has more than 64 segments to load")                        \
    X(SEGMENT_TRUNCATED, "a segment's contents lie beyond the end of the file")                   \
    X(SEGMENT_SIZES, "a segment has more bytes in the file than in memory")                       \
    X(SEGMENT_ADDRESS, "a segment lies outside the guest's address range")                        \
    X(SEGMENT_ALIGNMENT, "a segment's address and file offset disagree within the page")          \
    X(BAD_ALIGNMENT, "a segment asks for an alignment that is no power of two")                   \
    X(BAD_INTERP, "the path of the program interpreter is empty, too long or not terminated")     \
    X(TWO_INTERPS, "the ELF file names two program interpreters")

enum plan_error {
#define X(NAME, sentence) PLAN_##NAME,
    PLAN_ERRORS(X)
#undef X
};

/* "the file is shorter than an ELF header" */
const char *plan_error_text(enum plan_error e);

struct plan_segment {
    uint64_t vaddr, memsz;   /* vaddr: before the load bias of a position-independent program */
    uint64_t offset, filesz; /* filesz <= memsz; offset + filesz is inside the file */
    uint8_t prot;            /* PROT_READ | … */
};

struct load_plan {
    uint8_t elf_class, elf_data; /* ELFCLASS…, ELFDATA… */
    uint8_t osabi;
    uint16_t machine;            /* EM_… */
    uint32_t flags;              /* e_flags */
    bool position_independent;   /* ET_DYN */
    bool has_stack;              /* there is a PT_GNU_STACK */
    bool stack_exec;             /* and it asks for an executable stack; without one: the architecture's habit */
    uint32_t feature_1;          /* GNU_PROPERTY_…_FEATURE_1_AND of PT_GNU_PROPERTY, 0: none */
    uint64_t entry;
    uint64_t phdr;               /* address of the program headers in memory, 0: not in a segment */
    uint16_t phnum, phentsize;
    uint64_t low, high;          /* the segments' pages: [low, high) */
    uint64_t align;              /* largest p_align of a segment, at least a page */
    unsigned nsegments;
    struct plan_segment segment[PLAN_MAX_SEGMENTS]; /* in file order; later ones cover earlier ones */
    char interp[PLAN_MAX_INTERP]; /* "": none */
};

/*
 * Plans an ELF file of n bytes for a guest with pages of page_size whose addresses are below limit. On an error *plan
 * still says what the header gave as far as it was read (class, data, machine), for the message.
 */
enum plan_error elf_plan(const uint8_t *bytes, size_t n, uint32_t page_size, uint64_t limit, struct load_plan *plan);

/* Word size, byte order and machine alone. False: not an ELF file, or shorter than its first 20 bytes. */
bool elf_identify(const uint8_t *bytes, size_t n, uint8_t *elf_class, uint8_t *elf_data, uint16_t *machine);
/* Is a file that elf_identify() knows an executable or shared object (and no relocatable file or core dump)? */
bool elf_is_program(const uint8_t *bytes);

/* The first line of a script, as Linux reads it (fs/binfmt_script.c): one optional argument, inner blanks kept. */
struct script_plan {
    char interp[SCRIPT_HEAD];
    char arg[SCRIPT_HEAD]; /* "": none */
};

enum script_result { SCRIPT_NO, SCRIPT_YES, SCRIPT_BAD };

/* SCRIPT_NO: no "#!". SCRIPT_BAD: a "#!" that Linux answers with ENOEXEC. Only the first SCRIPT_HEAD bytes count. */
enum script_result script_plan(const uint8_t *bytes, size_t n, struct script_plan *plan);

#endif
