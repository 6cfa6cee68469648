/*
 * Resource limits on memory, kept for the guest instead of being set on the host, where they would stop metic's own
 * memory first: RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK. mm.c holds the guest's mappings to them.
 */
#ifndef LINUX_USER_LIMITS_H
#define LINUX_USER_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process;

struct process_limit {
    uint64_t cur, max; /* bytes; UINT64_MAX: RLIM_INFINITY */
};

/* By index of limit_kept(). */
struct process_limits {
    struct process_limit v[3];
};

enum { LIMITS_WORD = 160 }; /* bytes of limits_print's result at most */

/* Reads "as=soft:hard,stack=…" over what is in *l: false when it is something else. */
bool limits_parse(struct process_limits *l, const char *word);
/* The same word again, for a program that this one starts. */
void limits_print(const struct process_limits *l, char word[LIMITS_WORD]);

/* What the host has: the limits of a process that was started from outside. */
void limits_read(struct process_limits *l);
/* Holds p to p->limits, and frees metic itself of them. Once, when p->mm is there. */
void limits_start(struct process *p);
/* NULL: this resource's limit is the host's to keep. */
struct process_limit *limit_kept(struct process_limits *l, unsigned resource);
/* A limit of p has changed. */
void limit_changed(struct process *p, unsigned resource);
/* Around the host's execve: of another program than metic, to which the limits apply as they are. */
void limits_before_exec(struct process *p, struct process_limits *saved);
void limits_after_failed_exec(const struct process_limits *saved);

/* Has the thread one of the CAP_… below 32? */
bool has_capability(unsigned capability);

#endif
