/*
 * What a process keeps over execve that the host's kernel does not keep for it: metic, started again, reads it from a
 * memory file whose descriptor the option -inherit names.
 */
#ifndef LINUX_USER_INHERIT_H
#define LINUX_USER_INHERIT_H

#include <stdbool.h>

struct task;

enum { INHERIT_NOTHING = -1, INHERIT_FAILED = -2 };

/* A descriptor, to be closed if execve fails; or one of the above. */
int inherit_save(const struct task *t);
/* Takes it over and closes fd. False: it is not what inherit_save wrote. */
bool inherit_restore(struct task *t, int fd);

#endif
