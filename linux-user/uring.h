/* io_uring: what metic has to know of a ring to translate the requests in it. See sys-uring.c. */
#ifndef LINUX_USER_URING_H
#define LINUX_USER_URING_H

#include <stdint.h>

struct task;
struct uring;

/* The rings that the process has set up; under process->lock. */
struct urings {
    struct uring *rings;
    struct uring_index *indexes; /* numbers that threads use in place of descriptors */
};

/*
 * The guest has mapped [addr, …) of descriptor fd from the offset on: if it is a ring, that is where its entries are.
 */
void uring_mapped(struct task *t, int fd, uint64_t offset, uint64_t addr);

#endif
