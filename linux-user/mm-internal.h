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

struct mm {
    pthread_mutex_t op;         /* held over a whole change */
    pthread_mutex_t areas_lock; /* over reading or writing the list and `changing` */
    struct area_list list;
    uint64_t changing_start, changing_end; /* not to be translated from now */
    struct exec *exec;
    uint64_t limit;        /* guest addresses are below */
    uint64_t max_bytes;    /* RLIMIT_AS of the guest */
    uint64_t max_data;     /* RLIMIT_DATA */
    uint64_t top;          /* placements grow down from here */
    uint64_t program_base;
    uint64_t brk_start, brk_now, brk_room;
    struct area_list foreign; /* metic's own mappings, as far as a placement met one */
    struct attachment attached[MAX_ATTACHED];
    unsigned nattached;
};

/* Takes into the list what areas have grown in or into [start, end). Under mm->op. */
void mm_learn_growth(struct mm *mm, uint64_t start, uint64_t end);

#endif
