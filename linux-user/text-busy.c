/* See text-busy.h; fcntl(2), "Open file description locks". */
#include "linux-user/text-busy.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bits.h"

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif

/*
 * It belongs to the open file, which a mapping keeps as well as a descriptor does: until the last process with this
 * memory has ended or executes another program, as with the kernel's own.
 */
static struct flock lock_of(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = INT64_MAX - 1, .l_len = 1};
}

/* Locks there are a server's business, whom to ask takes long. */
static bool is_remote(int fd)
{
    static const uint32_t kinds[] = {NFS_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                                     CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,  AFS_FS_MAGIC,    V9FS_MAGIC,
                                     CODA_SUPER_MAGIC, FUSE_SUPER_MAGIC};
    struct statfs fs;
    if (fstatfs(fd, &fs))
        return true;
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((uint32_t)fs.f_type == kinds[i])
            return true;
    return false;
}

void text_hold(int fd)
{
    struct flock lock = lock_of(F_RDLCK);
    if (!is_remote(fd) && !fcntl(fd, F_OFD_SETLK, &lock))
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_PRIVATE, fd, 0);
}

static bool may_run(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
}

bool text_is_busy(int fd)
{
    struct flock lock = lock_of(F_WRLCK), asked = lock;
    struct stat st;
    /* A lock of more than the one byte is somebody else's, of the whole file. */
    return !fstat(fd, &st) && may_run(&st) && !is_remote(fd) && !fcntl(fd, F_OFD_GETLK, &lock) &&
           lock.l_type == F_RDLCK && lock.l_start == asked.l_start && lock.l_len == asked.l_len;
}

bool text_may_run(int dirfd, const char *path, bool follow)
{
    struct stat st;
    return !fstatat(dirfd, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) && may_run(&st);
}
