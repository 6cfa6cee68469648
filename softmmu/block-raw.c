/* Disks whose bytes are the file's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "softmmu/block.h"

static char *raw_open(struct block *b)
{
    off_t end = lseek(b->fd, 0, SEEK_END);
    if (end < 0)
        return block_error("cannot find the size of %s: %s", b->path, strerror(errno));
    b->size = (uint64_t)end & ~(uint64_t)(BLOCK_SECTOR - 1);
    b->granularity = 4096;
    return NULL;
}

static int raw_close(struct block *b) { return 0; }

static int raw_read(struct block *b, uint64_t offset, void *buf, uint64_t n)
{
    return block_file_read(b, offset, buf, n);
}

static int raw_write(struct block *b, uint64_t offset, const void *buf, uint64_t n)
{
    return block_file_write(b, offset, buf, n);
}

static int raw_flush(struct block *b) { return fdatasync(b->fd) ? errno : 0; }

static int raw_discard(struct block *b, uint64_t offset, uint64_t n) { return block_file_punch(b, offset, n); }

static int write_zeros(struct block *b, uint64_t offset, uint64_t n)
{
    static const uint8_t zeros[65536];
    for (uint64_t part; n; offset += part, n -= part) {
        part = n < sizeof zeros ? n : sizeof zeros;
        int error = block_file_write(b, offset, zeros, part);
        if (error)
            return error;
    }
    return 0;
}

static int raw_zero(struct block *b, uint64_t offset, uint64_t n, bool unmap)
{
    int how = unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    if (!fallocate(b->fd, how | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)n))
        return 0;
    return write_zeros(b, offset, n);
}

static int raw_resize(struct block *b, uint64_t size)
{
    if (ftruncate(b->fd, (off_t)size))
        return errno;
    b->size = size;
    return 0;
}

const struct block_format block_raw = {
    .name = "raw",
    .open = raw_open,
    .close = raw_close,
    .read = raw_read,
    .write = raw_write,
    .flush = raw_flush,
    .discard = raw_discard,
    .zero = raw_zero,
    .resize = raw_resize,
};
