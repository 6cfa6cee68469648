/*
 * PROCMAP_QUERY of linux/fs.h: one mapping of a process, asked for by address with ioctl on its maps (Linux 6.11).
 * Answered by what the view of maps says.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/procfs-internal.h"
#include "linux-user/procfs.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

enum {
    PAGE = 4096,
    /* query_flags; the first four are vma_flags, too */
    READABLE = 1,
    WRITABLE = 2,
    EXECUTABLE = 4,
    SHARED = 8,
    COVERING_OR_NEXT = 0x10,
    FILE_BACKED = 0x20,
    ALL_FLAGS = 0x3f,
    BUILD_ID_MAX = 20,
};

struct query { /* struct procmap_query */
    uint64_t size, flags, addr;
    uint64_t start, end, vma_flags, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name, build_id;
};

enum { SMALLEST = offsetof(struct query, addr) + sizeof(uint64_t) };

/* A line of maps into q; its name, which may be empty. */
static const char *take_line(struct query *q, char *line)
{
    char prot[5] = "";
    int at = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64 " %n", &q->start,
               &q->end, prot, &q->offset, &q->major, &q->minor, &q->inode, &at) < 7)
        q->start = q->end = 0;
    q->vma_flags = (prot[0] == 'r' ? READABLE : 0) | (prot[1] == 'w' ? WRITABLE : 0) |
                   (prot[2] == 'x' ? EXECUTABLE : 0) | (prot[3] == 's' ? SHARED : 0);
    q->page_size = PAGE;
    return line + at;
}

static bool is_asked_for(const struct query *q)
{
    uint64_t must = q->flags & (READABLE | WRITABLE | EXECUTABLE | SHARED);
    return q->end > q->addr && (q->start <= q->addr || q->flags & COVERING_OR_NEXT) && (q->vma_flags & must) == must &&
           (!(q->flags & FILE_BACKED) || q->inode);
}

/* The note NT_GNU_BUILD_ID of an ELF file: bytes put into id, at most `room`; 0: it has none, -1: it is longer. */
static int build_id_of(const char *path, uint8_t *id, uint32_t room)
{
    Elf64_Ehdr e;
    Elf64_Phdr p;
    int got = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    bool ok = pread(fd, &e, sizeof e, 0) == sizeof e && !memcmp(e.e_ident, ELFMAG, SELFMAG) &&
              e.e_ident[EI_CLASS] == ELFCLASS64;
    for (unsigned i = 0; ok && !got && i < e.e_phnum; i++) {
        char notes[PAGE];
        ok = pread(fd, &p, sizeof p, (off_t)(e.e_phoff + i * sizeof p)) == sizeof p;
        ssize_t n = ok && p.p_type == PT_NOTE && p.p_filesz <= sizeof notes
                        ? pread(fd, notes, p.p_filesz, (off_t)p.p_offset)
                        : 0;
        for (size_t at = 0; !got && n > 0 && at + sizeof(Elf64_Nhdr) <= (size_t)n;) {
            Elf64_Nhdr h;
            memcpy(&h, notes + at, sizeof h);
            size_t desc = at + sizeof h + ALIGN_UP((size_t)h.n_namesz, (size_t)4);
            at = desc + ALIGN_UP((size_t)h.n_descsz, (size_t)4);
            if (h.n_type != NT_GNU_BUILD_ID || h.n_namesz != 4 || h.n_descsz > BUILD_ID_MAX || at > (size_t)n ||
                memcmp(notes + desc - 4, "GNU", 4))
                continue;
            got = h.n_descsz <= room ? (int)h.n_descsz : -1;
            if (got > 0)
                memcpy(id, notes + desc, h.n_descsz);
        }
    }
    close(fd);
    return got;
}

static int64_t read_query(struct task *t, struct query *q, uint64_t at, size_t *size)
{
    char rest[PAGE];
    if (get_user(t, q->size, at))
        return -EFAULT;
    if (q->size > PAGE)
        return -E2BIG;
    if (q->size < SMALLEST)
        return -EINVAL;
    *size = q->size < sizeof *q ? q->size : sizeof *q;
    size_t more = q->size - *size;
    if (copy_from_guest(t, q, at, *size) || copy_from_guest(t, rest, at + *size, more))
        return -EFAULT;
    for (size_t i = 0; i < more; i++)
        if (rest[i])
            return -E2BIG;
    bool valid = !(q->flags & ~(uint64_t)ALL_FLAGS) && !q->name == !q->name_size && !q->build_id == !q->build_id_size;
    return valid ? 0 : -EINVAL;
}

int64_t procfs_query(struct task *t, int fd, uint64_t at)
{
    struct query q = {0};
    size_t size;
    char path[PATH_MAX], *save = NULL, *text = NULL;
    if (!procfs_view_of(fd, path)) /* a native process's */
        return host_call(SYS_ioctl, fd, PROCMAP_QUERY_COMMAND, at);
    const char *last = strrchr(path, '/'), *name = NULL;
    int64_t ret = last && !strcmp(last, "/maps") ? read_query(t, &q, at, &size) : -ENOTTY;
    if (!ret) {
        procfs_rewrite(t, fd, path);
        text = procfs_read(fd);
        ret = text ? 0 : -ENOMEM;
    }
    for (char *line = ret ? NULL : strtok_r(text, "\n", &save); line && !name; line = strtok_r(NULL, "\n", &save)) {
        name = take_line(&q, line);
        if (!is_asked_for(&q))
            name = NULL;
    }
    if (!ret && !name)
        ret = -ENOENT;
    if (!ret && q.name_size) {
        uint32_t length = *name ? (uint32_t)strlen(name) + 1 : 0;
        if (length > q.name_size)
            ret = -ENAMETOOLONG;
        else if (copy_to_guest(t, q.name, name, length))
            ret = -EFAULT;
        q.name_size = length;
    }
    if (!ret && q.build_id_size) {
        uint8_t id[BUILD_ID_MAX];
        int n = q.inode ? build_id_of(name, id, q.build_id_size) : 0;
        if (n < 0)
            ret = -ENAMETOOLONG;
        else if (copy_to_guest(t, q.build_id, id, (uint64_t)n))
            ret = -EFAULT;
        q.build_id_size = n > 0 ? (uint32_t)n : 0;
    }
    if (!ret && copy_to_guest(t, at, &q, size))
        ret = -EFAULT;
    free(text);
    return ret;
}
