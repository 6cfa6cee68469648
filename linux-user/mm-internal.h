/* The address space as the mm*.c share it; nobody else includes this. */
#ifndef LINUX_USER_MM_INTERNAL_H
#define LINUX_USER_MM_INTERNAL_H

#include <pthread.h>

#include "base/shared-lock.h"
#include "linux-user/areas.h"

/* A shared memory segment attached by shmat, which shmdt names by its address alone. */
struct attachment {
    uint64_t addr, len;
};

enum {
    PAGE = 4096,
    MM_LOWEST = 0x10000, /* /proc/sys/vm/mmap_min_addr */
    MM_STACK_GAP = 256 * PAGE, /* free below a stack, as Linux's stack_guard_gap */
    MAX_ATTACHED = 256,
};

enum { MM_MAX_FILES = 128 };

/* The file whose identity was asked for last: loaders map each several times. */
struct known_file {
    uint64_t dev, ino;
    struct code_file_id id;
};

struct place_range {
    uint64_t start, n; /* so many pages, of files so many places of FILE_PLACE */
};
enum { FILE_PLACE_SHIFT = 21 }; /* so that no two of them share a page table */

struct mm {
    struct shared_lock op;         /* held over a whole change */
    struct shared_lock areas_lock; /* over reading or writing the list and `changing` */
    struct area_list list;
    uint64_t changing_start, changing_end; /* not to be translated from now */
    struct exec *exec;
    uint64_t limit;        /* guest addresses are below */
    uint64_t max_bytes;    /* RLIMIT_AS of the guest */
    uint64_t max_data;     /* RLIMIT_DATA */
    uint32_t mdwe;         /* MDWE_… */
    bool lock_new;         /* MCL_FUTURE: what is mapped from now on is locked */
    uint64_t top;          /* placements grow down from here */
    struct place_range programs, places; /* where position-independent programs begin, and what is mapped of files */
    uint64_t program_base;
    uint64_t brk_start, brk_now, brk_room;
    struct area_list foreign; /* metic's own mappings, as far as a placement met one */
    struct attachment attached[MAX_ATTACHED];
    unsigned nattached;
    uint64_t secret;          /* from which files' addresses are derived; 0: there is no cache of translations */
    struct known_file known_file;
    struct code_file files[MM_MAX_FILES]; /* executable mappings that show a file unchanged: under areas_lock */
    unsigned nfiles;
    int opened;               /* the file that was opened last, as far as is known; -1: none */
    uint64_t mappings;        /* so many have been in the list */
    unsigned uncounted;       /* so many more changes before the host's mappings are counted again: mm_has_room() */
};

/* --- mm-change.c; mm->op held --- */
uint32_t mm_host_prot(uint32_t prot);
int64_t mm_host_map(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset);
int64_t mm_host_unmap(uint64_t addr, uint64_t len);
/* Maps where nothing is. -EEXIST: something of metic's own is there. */
int64_t mm_host_place(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset);
/*
 * Before [start, end) loses its contents or the right to be executed: no translation is made from it until the change
 * is recorded (mm_end_change) or did not happen (mm_cancel_change); the ones there are end.
 */
void mm_begin_change(struct mm *mm, uint64_t start, uint64_t end);
/* Records the change: a (NULL: nothing is mapped in [start, end) now). */
void mm_end_change(struct mm *mm, const struct area *a, uint64_t start, uint64_t end);
void mm_cancel_change(struct mm *mm);
/* Within a change: the range is not mapped any more. */
void mm_forget(struct mm *mm, uint64_t start, uint64_t end);
/* Room in the list for so many changes; false: no memory. */
bool mm_reserve(struct mm *mm, unsigned changes);
/*
 * The host allows another mapping or two, and enough of them are left for metic itself: /proc/sys/vm/max_map_count.
 * Asked before each change that makes mappings or divides one.
 */
bool mm_has_room(struct mm *mm);
/*
 * Takes hold of everything in [start, end) that is not the guest's yet, so that a MAP_FIXED over the range meets
 * nothing of metic's own: -ENOMEM if there is something.
 */
int64_t mm_hold_holes(struct mm *mm, uint64_t start, uint64_t end);
void mm_release_holes(struct mm *mm, uint64_t start, uint64_t end);
/* The next piece of [*at, end) in which no guest area lies: [*start, *stop); false at the end. */
bool mm_next_hole(const struct mm *mm, uint64_t *at, uint64_t end, uint64_t *start, uint64_t *stop);
/* Takes into the list what areas have grown in or into [start, end). */
void mm_learn_growth(struct mm *mm, uint64_t start, uint64_t end);
/* Finds room and maps there; answers the address. */
int64_t mm_place(struct mm *mm, uint64_t len, uint64_t align, uint32_t prot, uint32_t flags, int fd, uint64_t offset);
/* Files that let nobody choose the address (io_uring): where the host's kernel wants them. */
int64_t mm_place_by_host(struct mm *mm, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t offset);
/* mseal forbids to change the range's mappings. */
bool mm_is_sealed(const struct mm *mm, uint64_t start, uint64_t end);
bool mm_in_space(const struct mm *mm, uint64_t addr, uint64_t len);
/* The guest's limits allow so many bytes more like `a`. */
bool mm_may_grow(const struct mm *mm, uint64_t bytes, const struct area *a);
/* They allow that `now`, or the part of it that `a` covers, becomes `a`. */
bool mm_may_become(const struct mm *mm, const struct area *now, const struct area *a);

/* --- mm.c; mm->op held --- */
int64_t mm_unmap(struct mm *mm, uint64_t start, uint64_t end);

/* --- mm-files.c; mm->op held, areas_lock not unless it says so --- */
/* What tells the ELF file from others. False: it is none, or it has changed just now. */
bool mm_file_id(struct mm *mm, int fd, struct code_file_id *id);
/* A free address for a position-independent file of `len` bytes, the same in each process if possible; 0: none. */
uint64_t mm_file_place(struct mm *mm, int fd, uint64_t len);
/*
 * The same for what a loader reserves for the file that was opened last: its span and room to align it, where pages of
 * the machine's kernel may be larger than the guest's.
 */
uint64_t mm_reserved_place(struct mm *mm, uint64_t len);
void mm_files_note(struct mm *mm, const struct area *a, int fd, uint64_t offset);
/* areas_lock held. The range's content may be another from now on. */
void mm_files_forget(struct mm *mm, uint64_t start, uint64_t end);
bool mm_files_touch(const struct mm *mm, uint64_t start, uint64_t end);
/* code_reader.file */
bool mm_file_at(void *opaque, uint64_t pc, struct code_file *f);
void mm_files_rest(void *opaque);

#endif
