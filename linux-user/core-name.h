/* Where a core file goes: the pattern of core(5). */
#ifndef LINUX_USER_CORE_NAME_H
#define LINUX_USER_CORE_NAME_H

#include <limits.h>
#include <stdbool.h>

struct task;

/*
 * The file's name by /proc/sys/kernel/core_pattern and core_uses_pid. A pattern that starts a program gives core.PID in
 * the working directory: the host's kernel runs such programs for its own dumps only. False: there is no name.
 */
bool core_name(struct task *t, int signo, char path[PATH_MAX]);

#endif
