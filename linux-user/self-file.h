/*
 * The emulator's own file, kept open by a process for execve where a guest that knows nothing of it is about to lose it:
 * no path may lead to it any more (chroot, pivot_root, mounts), or landlock(7)'s rules forbid to execute it.
 */
#ifndef LINUX_USER_SELF_FILE_H
#define LINUX_USER_SELF_FILE_H

struct process;

/* The path by which a process finds its own file; its first thread may have ended. */
extern const char self_exe[];

/* In front of such a call: opens process.self_fd if it isn't. Without a file execve fails as it would have. */
void self_keep(struct process *p);
/* A descriptor of a copy in memory, which landlock's rules don't touch, to be closed by the caller; -1: there is none. */
int self_copy(const struct process *p);

#endif
