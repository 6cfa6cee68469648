/*
 * A guest architecture: one constant struct of facts and functions; targets/<arch>/target.c exports it and
 * targets/targets.c lists it. Nothing else in the tree is edited when one is added.
 */
#ifndef EXEC_TARGET_H
#define EXEC_TARGET_H

#include "exec/cpu.h"
#include "tcg/build.h"

/* What tells a file from others and from itself at other times. No padding: compared as bytes. */
struct code_file_id {
    uint64_t size, mtime, ctime; /* bytes; nanoseconds since 1970 */
    uint64_t dev, ino;           /* 0: its first page holds a build id, which says more */
    uint64_t head;               /* hash of its first page */
};

/* An unchanged private mapping of a regular file whose address will be the same in other processes. */
struct code_file {
    uint64_t start, end; /* guest addresses mapped */
    uint64_t bias;       /* guest address of the file's first byte, whether that is mapped or not */
    uint64_t mapping;    /* number of the mapping in this process: no other has had it */
    struct code_file_id id;
};

/* Guest code as the translator reads it. */
struct code_reader {
    void *opaque;
    /* Host address of guest code at pc and in *avail how many bytes may be read there; NULL: not executable. */
    const uint8_t *(*window)(void *opaque, uint64_t pc, size_t *avail);
    /* The file that pc is mapped from. False: it is not such a mapping. NULL: there are no files. */
    bool (*file)(void *opaque, uint64_t pc, struct code_file *f);
    /*
     * The guest will run no more, most likely: memory that shows such files is given up until it is read again. NULL:
     * kept.
     */
    void (*rest)(void *opaque);
};

enum { TARGET_REG_MAX = 16 }; /* bytes of the largest */

/* A register as `-d cpu` and gdb name it. */
struct target_reg {
    char name[16];
    uint16_t size;    /* bytes as debuggers see it: 4, 8 or 16; integers little-endian */
    uint16_t offset;  /* of it in the guest's state; 0: by the functions */
    const char *type; /* gdb's; NULL: an integer of its size */
    uint64_t (*get)(struct cpu *cpu, unsigned number);
    void (*set)(struct cpu *cpu, unsigned number, uint64_t value); /* NULL, and no offset: it can't be written */
    unsigned number;  /* for the functions */
};

/* A part of the guest's state, as saved machines name it. */
struct target_field {
    const char *name;
    uint16_t offset, size; /* bytes */
};

/* Registers that belong together: a feature of gdb's target descriptions ("Standard Target Features"). */
struct target_feature {
    const char *name;
    const char *types;             /* XML of types that rows name; NULL: none */
    const struct target_reg *regs; /* nregs of them, */
    unsigned nregs;
    bool (*row)(unsigned i, struct target_reg *out); /* or (regs NULL) the i-th; false: there are no more */
    bool rare;                     /* not in every `-d cpu` */
};

/* An access to guest memory. */
enum target_access { ACCESS_FETCH, ACCESS_LOAD, ACCESS_STORE };

/* A piece of the address space that the page tables translate alike, as a debugger shows it. */
struct target_mapping {
    uint64_t address, physical, size; /* bytes */
    char flags[12];                   /* letters of what is allowed and noted, in the architecture's order */
};

/* Where an access goes, and how far around it the same is true; else why it fails. */
struct target_translation {
    uint64_t physical;
    uint64_t first, last;    /* guest addresses around that are translated alike and allow the same */
    bool allows[3];          /* by enum target_access: what needs no further look */
    uint32_t cause;          /* of failure: the target's own number, for raise() */
};

/*
 * A processor as all of its software sees it: what running a machine asks of it (softmmu/). Called by the thread of
 * `cpu`; "enters" means that pc and registers become those of the handler's first instruction.
 */
struct target_system {
    unsigned nviews; /* ways in which addresses are translated, at most 8: by privilege and the like */
    unsigned (*data_view)(const struct cpu *cpu);
    unsigned (*fetch_view)(const struct cpu *cpu);
    unsigned unmapped_views;         /* a bit for each that has nothing to do with page tables; */
    bool (*unmapped)(uint32_t mode); /* does a mode fetch in such a one? */
    /* An access of `size` bytes that lies within a page. False: out->cause. */
    bool (*translate)(struct cpu *cpu, unsigned view, uint64_t address, unsigned size, enum target_access access,
                      struct target_translation *out);
    /* Enters the exception of a translation that failed. */
    void (*raise)(struct cpu *cpu, uint32_t cause, uint64_t address);
    /* Enters that of an access to which nothing, or a device's refusal, answered. */
    void (*bus_error)(struct cpu *cpu, enum target_access access, uint64_t address);
    /* Enters that of an access with MEM_ALIGN, or an atomic one, off its alignment. */
    void (*misaligned)(struct cpu *cpu, enum target_access access, uint64_t address);
    /* Enters the exception of what cpu_run() returned (EXIT_SYSCALL, _BREAKPOINT, _ILLEGAL, _FETCH, …). */
    void (*exception)(struct cpu *cpu, enum cpu_exit reason);
    /* Enters the most urgent interrupt that may be taken now; false: none. */
    bool (*interrupt)(struct cpu *cpu);
    /* Does a waiting processor go on (EXIT_HALT)? */
    bool (*wakes)(struct cpu *cpu);
    /* What a saved state has of a processor. */
    const struct target_field *saved;
    unsigned nsaved;
    /*
     * Before those fields are read, and after they have been written: what lies elsewhere comes and goes through them;
     * values that cannot be become ones that can.
     */
    void (*saving)(struct cpu *cpu);
    void (*loaded)(struct cpu *cpu);
    /*
     * Where an address leads for a debugger, whatever may be done there; nothing changes. False: nowhere. It stands
     * still.
     */
    bool (*look_up)(struct cpu *cpu, uint64_t address, uint64_t *physical);
    /*
     * Tells what the page tables in use map, by rising address; nothing where they are off. The processor stands still.
     */
    void (*mappings)(struct cpu *cpu, void (*visit)(void *opaque, const struct target_mapping *m), void *opaque);
};

struct target {
    const char *name;           /* as in qemu-<name> */
    uint16_t elf_machine;       /* EM_… */
    uint8_t elf_class, elf_data; /* ELFCLASS…, ELFDATA… */
    uint8_t address_bits;       /* user addresses are below 1 << address_bits */
    uint8_t pc_zero_bits;       /* bits of the pc that the hardware keeps zero, whoever writes it */
    uint32_t page_size;
    size_t state_size;          /* sizeof the guest's state struct */
    const struct ir_guest *ir;
    const char *gdb_architecture;   /* what gdb calls it */
    const struct target_feature *features; /* registers; a NULL name ends them */
    enum isa isa;               /* for in_asm */

    /* Registers at reset (program start): everything zero but what the architecture says. */
    void (*reset)(struct cpu *cpu);
    /* Mode bits that translation depends on, now (key of a translation beside pc). */
    uint32_t (*mode)(const struct cpu *cpu);
    /*
     * Translates from u->pc (mode u->flags) until a terminator or max instructions; always ends u with a terminator,
     * undefined instructions as TRAP(EXIT_ILLEGAL), unreadable ones as TRAP(EXIT_FETCH) in a unit of their own. Sets
     * u->bytes, u->ninsns.
     * Continues behind conditional branches (GOTO_IF) unless b_ends_here(); calls end the unit.
     */
    void (*translate)(struct ir_builder *b, const struct code_reader *code, unsigned max_insns);
    const struct target_system *system; /* NULL: user programs only */
};

extern const struct target *const targets[]; /* NULL-terminated: targets/targets.c */
const struct target *target_by_name(const char *name);
const struct target *target_by_elf(uint16_t machine, uint8_t elf_class, uint8_t elf_data);

#endif
