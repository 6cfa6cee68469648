/* The guest's address space: one map of its pages is the truth. */
#ifndef LINUX_USER_MM_H
#define LINUX_USER_MM_H

struct mm;

/* Writes /proc/self/maps as the guest has it to fd. */
void mm_print_maps(struct mm *mm, int fd);

#endif
