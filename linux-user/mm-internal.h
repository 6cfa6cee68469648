/* The address space as mm.c and mm-maps.c share it; nobody else includes this. */
#ifndef LINUX_USER_MM_INTERNAL_H
#define LINUX_USER_MM_INTERNAL_H

#include <pthread.h>

#include "linux-user/areas.h"

/* A shared memory segment attached by shmat, which shmdt names by its address alone. */
struct attachment {
    uint64_t addr, len;
};

enum { MAX_ATTACHED = 256 };

enum { MM_MAX_FILES = 128 };

/* The file whose identity was asked for last: loaders map each several times. */
struct known_file {
    uint64_t dev, ino;
    struct code_file_id id;
};

struct mm {
    pthread_mutex_t op;         /* held over a whole change */
    pthread_mutex_t areas_lock; /* over reading or writing the list and `changing` */
    struct area_list list;
    uint64_t changing_start, changing_end; /* not to be translated from now */
    struct exec *exec;
    uint64_t limit;        /* guest addresses are below */
    uint64_t max_bytes;    /* RLIMIT_AS of the guest */
    uint64_t max_data;     /* RLIMIT_DATA */
    bool lock_new;         /* MCL_FUTURE: what is mapped from now on is locked */
    uint64_t top;          /* placements grow down from here */
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
};

/* Takes into the list what areas have grown in or into [start, end). Under mm->op. */
void mm_learn_growth(struct mm *mm, uint64_t start, uint64_t end);

/* --- mm-files.c; mm->op held, areas_lock not unless it says so --- */
/* What tells the ELF file from others. False: it is none, or it has changed just now. */
bool mm_file_id(struct mm *mm, int fd, struct code_file_id *id);
/* A free address for a position-independent file of `len` bytes, the same in each process if possible; 0: none. */
uint64_t mm_file_place(struct mm *mm, int fd, uint64_t len);
/*
 * The same for what a loader reserves for the file that was opened last: its span and room to align it, where pages of the
 * machine's kernel may be larger than the guest's.
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
