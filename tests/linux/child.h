/* Children's ends. */
#ifndef TESTS_LINUX_CHILD_H
#define TESTS_LINUX_CHILD_H

#include <sys/types.h>
#include <sys/wait.h>

#include "check.h"

/* Waits for a child: its exit code; below 0: the status of one that ended otherwise, negated. */
static int code_of(pid_t pid)
{
    int status = -1;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

#endif
