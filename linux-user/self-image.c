/* See self-image.h. Files in memory (memfd_create(2)) are not subject to landlock's rules. */
#include "linux-user/self-image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux-user/host.h"

void self_image_keep(struct self_image *s)
{
    struct stat st;
    int fd = s->start ? -1 : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    void *p = fstat(fd, &st) ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED)
        *s = (struct self_image){p, (size_t)st.st_size};
    close(fd);
}

int self_image_open(const struct self_image *s)
{
    int fd = s->start ? (int)host_call(SYS_memfd_create, "metic", MFD_CLOEXEC) : -1;
    size_t done = 0;
    while (fd >= 0 && done < s->size) {
        ssize_t n = write(fd, (const char *)s->start + done, s->size - done);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    return fd < 0 ? -1 : fd;
}
