/* gdb's view of the guest's files ("Host I/O Packets", "File-I/O Remote Protocol Extension"): libraries, mostly. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "gdbstub/gdbstub.h"

/* The protocol's numbers of errors and flags. */
static int protocol_error(int error)
{
    enum { FILEIO_ENAMETOOLONG = 91, FILEIO_EUNKNOWN = 9999 };
    static const uint8_t same[] = {EPERM,   ENOENT, EINTR,  EBADF,  EACCES, EFAULT, EBUSY,  EEXIST, ENODEV,
                                   ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, EFBIG,  ENOSPC, ESPIPE, EROFS};
    for (unsigned i = 0; i < ARRAY_SIZE(same); i++)
        if (same[i] == error)
            return error;
    return error == ENAMETOOLONG ? FILEIO_ENAMETOOLONG : FILEIO_EUNKNOWN;
}

static int host_flags(uint64_t flags)
{
    static const struct {
        uint16_t protocol;
        int host;
    } bits[] = {{1, O_WRONLY}, {2, O_RDWR}, {8, O_APPEND}, {0x200, O_CREAT}, {0x400, O_TRUNC}, {0x800, O_EXCL}};
    int host = O_CLOEXEC | O_NOCTTY;
    for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
        if (flags & bits[i].protocol)
            host |= bits[i].host;
    return host;
}

static void answer(struct gdb_session *s, int64_t result)
{
    if (result < 0)
        gdb_printf(&s->reply, "F-1,%x", protocol_error(errno));
    else
        gdb_printf(&s->reply, "F%llx", (unsigned long long)result);
}

static void answer_error(struct gdb_session *s, int error)
{
    errno = error;
    answer(s, -1);
}

/* A name in hexadecimal at *p, by the host's name. */
static const char *read_path(struct gdb_session *s, const char **p, char *buffer)
{
    char name[PATH_MAX];
    size_t n = strcspn(*p, ",");
    if (n / 2 >= sizeof name || n & 1 || !hex_bytes(*p, n / 2, name))
        return NULL;
    name[n / 2] = 0;
    *p += n + ((*p)[n] == ',');
    return s->ops->path(s->opaque, name, buffer);
}

static bool number(const char **p, uint64_t *out)
{
    bool ok = hex_number(p, out);
    *p += **p == ',';
    return ok;
}

static int *file_of(struct gdb_session *s, const char **p)
{
    uint64_t n;
    return number(p, &n) && n < GDB_FILES && s->files[n] ? &s->files[n] : NULL;
}

static void open_file(struct gdb_session *s, const char *p, const char *end)
{
    char buffer[PATH_MAX];
    uint64_t flags, mode;
    unsigned slot = 0;
    const char *path = read_path(s, &p, buffer);
    if (!path || !number(&p, &flags) || !number(&p, &mode)) {
        answer_error(s, EINVAL);
        return;
    }
    while (slot < GDB_FILES && s->files[slot])
        slot++;
    if (slot == GDB_FILES) {
        answer_error(s, EMFILE);
        return;
    }
    int fd = open(path, host_flags(flags), (mode_t)mode & 0777);
    s->files[slot] = fd + 1;
    answer(s, fd < 0 ? -1 : (int64_t)slot);
}

static void close_file(struct gdb_session *s, const char *p, const char *end)
{
    int *f = file_of(s, &p);
    if (!f) {
        answer_error(s, EBADF);
        return;
    }
    answer(s, close(*f - 1));
    *f = 0;
}

static void read_file(struct gdb_session *s, const char *p, const char *end)
{
    const int *f = file_of(s, &p);
    uint64_t n, at;
    if (!f || !number(&p, &n) || !number(&p, &at)) {
        answer_error(s, f ? EINVAL : EBADF);
        return;
    }
    n = n < PACKET_MAX / 2 ? n : PACKET_MAX / 2;
    char *bytes = malloc(n + 1);
    ssize_t got = bytes ? pread(*f - 1, bytes, n, (off_t)at) : -1;
    answer(s, got);
    if (got >= 0) {
        gdb_put(&s->reply, ";", 1);
        gdb_put(&s->reply, bytes, (size_t)got);
    }
    free(bytes);
}

static void write_file(struct gdb_session *s, const char *p, const char *end)
{
    const int *f = file_of(s, &p);
    uint64_t at;
    if (!f || !number(&p, &at) || p > end) {
        answer_error(s, f ? EINVAL : EBADF);
        return;
    }
    answer(s, pwrite(*f - 1, p, (size_t)(end - p), (off_t)at));
}

static void put_big(uint8_t **to, uint64_t value, unsigned bytes)
{
    while (bytes--)
        *(*to)++ = (uint8_t)(value >> 8 * bytes);
}

/* struct stat of the protocol: fields of 4 and 8 bytes, big-endian. */
static void answer_stat(struct gdb_session *s, const struct stat *st)
{
    uint8_t bytes[64], *to = bytes;
    put_big(&to, st->st_dev, 4);
    put_big(&to, st->st_ino, 4);
    put_big(&to, st->st_mode & (S_IFMT | 0777), 4);
    put_big(&to, st->st_nlink, 4);
    put_big(&to, st->st_uid, 4);
    put_big(&to, st->st_gid, 4);
    put_big(&to, st->st_rdev, 4);
    put_big(&to, (uint64_t)st->st_size, 8);
    put_big(&to, (uint64_t)st->st_blksize, 8);
    put_big(&to, (uint64_t)st->st_blocks, 8);
    put_big(&to, (uint64_t)st->st_atime, 4);
    put_big(&to, (uint64_t)st->st_mtime, 4);
    put_big(&to, (uint64_t)st->st_ctime, 4);
    answer(s, sizeof bytes);
    gdb_put(&s->reply, ";", 1);
    gdb_put(&s->reply, bytes, sizeof bytes);
}

static void stat_open_file(struct gdb_session *s, const char *p, const char *end)
{
    const int *f = file_of(s, &p);
    struct stat st;
    if (!f)
        answer_error(s, EBADF);
    else if (fstat(*f - 1, &st))
        answer(s, -1);
    else
        answer_stat(s, &st);
}

static void stat_file(struct gdb_session *s, const char *p, const char *end)
{
    char buffer[PATH_MAX];
    const char *path = read_path(s, &p, buffer);
    struct stat st;
    if (!path)
        answer_error(s, EINVAL);
    else if (stat(path, &st))
        answer(s, -1);
    else
        answer_stat(s, &st);
}

static void read_link(struct gdb_session *s, const char *p, const char *end)
{
    char buffer[PATH_MAX], link[PATH_MAX];
    const char *path = read_path(s, &p, buffer);
    ssize_t n = path ? readlink(path, link, sizeof link) : -1;
    if (!path)
        errno = EINVAL;
    answer(s, n);
    if (n >= 0) {
        gdb_put(&s->reply, ";", 1);
        gdb_put(&s->reply, link, (size_t)n);
    }
}

static void unlink_file(struct gdb_session *s, const char *p, const char *end)
{
    char buffer[PATH_MAX];
    const char *path = read_path(s, &p, buffer);
    if (!path)
        answer_error(s, EINVAL);
    else
        answer(s, unlink(path));
}

/* Of which process's files: all have the same. */
static void set_files(struct gdb_session *s, const char *p, const char *end) { answer(s, 0); }

void gdb_file(struct gdb_session *s, const char *p, const char *end)
{
    static const struct {
        const char *word;
        void (*run)(struct gdb_session *s, const char *p, const char *end);
    } rows[] = {
        {"open:", open_file},     {"close:", close_file},     {"pread:", read_file},
        {"pwrite:", write_file},  {"fstat:", stat_open_file}, {"stat:", stat_file},
        {"readlink:", read_link}, {"unlink:", unlink_file},   {"setfs:", set_files},
    };
    for (unsigned i = 0; s->ops->path && i < ARRAY_SIZE(rows); i++)
        if (!strncmp(p, rows[i].word, strlen(rows[i].word))) {
            rows[i].run(s, p + strlen(rows[i].word), end);
            return;
        }
}

void gdb_close_files(struct gdb_session *s)
{
    for (unsigned i = 0; i < GDB_FILES; i++) {
        if (s->files[i])
            close(s->files[i] - 1);
        s->files[i] = 0;
    }
}
