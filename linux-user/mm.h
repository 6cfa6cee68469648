/*
 * The guest's address space. The guest's mappings are host mappings at the same address (guest base 0), and the sorted
 * list of areas here is the truth about them: what is not in it is either free or metic's own and out of reach.
 * Results are the kernel's: a value or -errno.
 *
 * Locks: `op` is held over a whole change (outermost, taken before exec's lock), `areas` only over the list itself
 * (innermost): a translation in progress is waited for, by exec_invalidate, before its bytes go away.
 */
#ifndef LINUX_USER_MM_H
#define LINUX_USER_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/target.h"

struct mm;
struct area_list;

enum area_kind { AREA_PLAIN, AREA_HEAP, AREA_STACK, AREA_VDSO, AREA_SHM };

struct area {
    uint64_t start, end; /* page aligned, not empty, areas don't overlap */
    uint8_t prot;        /* PROT_… the guest asked for; the host's never has PROT_EXEC */
    bool shared;
    bool grows;      /* downwards, when the page below is touched: MAP_GROWSDOWN */
    bool sealed;     /* mseal: stays as it is */
    bool not_forked; /* MADV_DONTFORK: a child does not get it */
    uint8_t kind;
};

enum { MM_NO_FREE_AREA = -12 }; /* -ENOMEM */

/* seed: 0: no randomisation of addresses. waiting: as in struct exec_options. NULL without memory. */
struct mm *mm_new(unsigned address_bits, uint64_t seed, void (*waiting)(void));
/*
 * By the thread that waited for a child in the same memory (vfork), which may have been killed in the middle of
 * anything.
 */
void mm_child_ended(struct mm *mm);
/* Translations to drop when guest code changes. Once, before the guest runs. */
void mm_set_exec(struct mm *mm, struct exec *x);
struct code_reader mm_code_reader(struct mm *mm);
/* Is there code at the address, once a change of mappings that is under way has been made? */
bool mm_may_fetch(struct mm *mm, uint64_t addr);
/* The guest may have written code in [start, end), and wants it to be executed. */
void mm_code_changed(struct mm *mm, uint64_t start, uint64_t end);

int64_t mm_mmap(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset);
/* As mm_mmap for anonymous memory of a kind: stack, vDSO. */
int64_t mm_map_kind(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, enum area_kind kind);
int64_t mm_munmap(struct mm *mm, uint64_t addr, uint64_t len);
int64_t mm_mprotect(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot);
int64_t mm_mremap(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t new_addr);
int64_t mm_madvise(struct mm *mm, uint64_t addr, uint64_t len, int advice);
int64_t mm_remap_file_pages(struct mm *mm, uint64_t addr, uint64_t len, uint64_t page_offset, uint32_t flags);
int64_t mm_mseal(struct mm *mm, uint64_t addr, uint64_t len);
/*
 * No mapping is made both writable and executable, and none becomes executable that was not (PR_SET_MDWE of prctl(2));
 * children have that, too, or not.
 */
enum { MDWE_REFUSE_EXEC_GAIN = 1, MDWE_NO_INHERIT = 2 };
int64_t mm_set_mdwe(struct mm *mm, uint64_t bits);
uint32_t mm_mdwe(const struct mm *mm);
/* mlockall(2)'s flags; 0, -EINVAL, -EPERM or -ENOMEM. */
int64_t mm_lock_all(struct mm *mm, int flags);
void mm_unlock_all(struct mm *mm);
int64_t mm_brk(struct mm *mm, uint64_t to);
int64_t mm_shmat(struct mm *mm, int id, uint64_t addr, int flags);
int64_t mm_shmdt(struct mm *mm, uint64_t addr);
/*
 * Bytes of [start, end) were written around the guest's protections: by a debugger, process_vm_writev or /proc/PID/mem.
 * Translations of them end, and the pages show no file unchanged any more.
 */
void mm_overwritten(struct mm *mm, uint64_t start, uint64_t end);
/* True if all of [addr, addr + len) is mapped: for calls that take a range and change nothing. */
bool mm_is_mapped(struct mm *mm, uint64_t addr, uint64_t len);
/* Whether anything is mapped at the address or above it. */
bool mm_ends_behind(struct mm *mm, uint64_t addr);
/* The protection of the page, or -1 if there is none. Async-signal-unsafe. */
int mm_protection(struct mm *mm, uint64_t addr);

/* Where programs go: base of a position-independent program, and the start of brk behind its image. */
uint64_t mm_program_base(const struct mm *mm);
/* Files get addresses that follow from their identity and the number (not 0), so that translations of them can be kept:
   mapped libraries, and a position-independent program, whose base this answers. Once, before anything is mapped. */
void mm_set_secret(struct mm *mm, uint64_t secret);
uint64_t mm_program_place(struct mm *mm, int fd);
/* The guest has opened a file. */
void mm_note_opened(struct mm *mm, int fd);
/* Where to put a loader of `len` bytes; 0: anywhere. */
uint64_t mm_loader_place(struct mm *mm, int fd, uint64_t len);
void mm_set_brk(struct mm *mm, uint64_t start);

/*
 * RLIMIT_AS and RLIMIT_DATA in bytes: what would make the guest's mappings, or those it alone may write, exceed so many
 * fails with -ENOMEM.
 */
void mm_set_limits(struct mm *mm, uint64_t bytes, uint64_t data_bytes);

/* A piece of an area as the host maps it: a line of the guest's /proc/self/maps. */
struct mapping {
    struct area area;
    uint64_t offset;     /* bytes, in the file */
    unsigned major, minor;
    uint64_t inode;      /* 0: no file */
    const char *name;    /* "": none; as long as the call */
    bool deleted;        /* the file has no name any more */
    /* Where detailed, of the host's whole mapping: */
    const char *attributes; /* the lines of smaps, as long as the call; else "" */
    uint64_t resident, anonymous; /* bytes in memory or swapped out; of them the process's own */
    bool dont_dump;      /* MADV_DONTDUMP */
};

typedef void mapping_fn(void *opaque, const struct mapping *m);
/* By rising address; fn must not change mappings. */
void mm_each_mapping(struct mm *mm, bool detailed, mapping_fn *fn, void *opaque);

/* A copy, areas_free()d by the caller. False without memory. */
bool mm_copy_areas(struct mm *mm, struct area_list *out);
/* Writes /proc/self/maps (or, detailed, smaps) as the guest has it to fd. */
void mm_print_maps(struct mm *mm, int fd, bool detailed);

/* The list itself, for other processes to read; it changes. */
const struct area_list *mm_areas(const struct mm *mm);
uint64_t mm_brk_start(const struct mm *mm);

/* Around fork(), in the locks' order: begin, exec_fork_prepare, prepare; done in the parent and in the child. */
void mm_fork_begin(struct mm *mm);
void mm_fork_prepare(struct mm *mm);
void mm_fork_done(struct mm *mm);
/* In the child, before: locked memory is not inherited. */
void mm_fork_child(struct mm *mm);
/* In the child, before that: what fork left behind in the parent. */
void mm_forget_not_forked(struct mm *mm);

#endif
