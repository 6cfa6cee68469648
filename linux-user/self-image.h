/*
 * The emulator's own executable, kept for execve where landlock(7) is about to keep the process from it: the rules are
 * made by a guest that knows nothing of the file.
 */
#ifndef LINUX_USER_SELF_IMAGE_H
#define LINUX_USER_SELF_IMAGE_H

#include <stddef.h>

/* In a process: a mapping of the file; NULL: none is kept. */
struct self_image {
    const void *start;
    size_t size;
};

/* Maps the file. Without memory execve fails as it would have. */
void self_image_keep(struct self_image *s);
/* A descriptor of a copy in memory, closed by execve or by the caller; -1: there is none. */
int self_image_open(const struct self_image *s);

#endif
