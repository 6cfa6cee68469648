/* See self-file.h; memfd_create(2), landlock(7). */
#include "linux-user/self-file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own-fds.h"
#include "linux-user/task.h"

const char self_exe[] = "/proc/thread-self/exe";

/* O_PATH where the file may be executed but not read: it can't be copied then. */
static int open_self(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? open(path, O_PATH | O_CLOEXEC) : fd;
}

void self_keep(struct process *p)
{
    if (p->self_fd >= 0)
        return;
    int fd = open_self(self_exe);
    if (fd < 0 && p->self)
        fd = open_self(p->self[0]);
    p->self_fd = fd < 0 ? -1 : fd_hide(fd);
}

int self_copy(const struct process *p)
{
    struct stat st;
    if (p->self_fd < 0 || fstat(p->self_fd, &st))
        return -1;
    int fd = memfd_create("metic", MFD_CLOEXEC);
    off_t done = 0;
    while (fd >= 0 && done < st.st_size)
        if (sendfile(fd, p->self_fd, &done, (size_t)(st.st_size - done)) <= 0) {
            close(fd);
            return -1;
        }
    return fd;
}
