/* The messages of 9P2000.L on files of the host: see p9.h. */
#define _GNU_SOURCE
#include "softmmu/p9.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bits.h"
#include "softmmu/block.h"

enum { HEAD = 7, IO_HEAD = 24, MAX_FIDS = 65536, MAX_WALK = 16, QID_SIZE = 13 };
enum { QID_DIR = 0x80, QID_SYMLINK = 2 };
enum { RLERROR = 7 };

/* A file the guest has a number for: a place in the tree, perhaps open. */
struct fid {
    int path; /* O_PATH: the file itself, a link too */
    int fd;   /* open: for reading and writing; -1: not open */
    DIR *dir; /* open, a folder; owns its own descriptor */
};

struct p9 {
    int root; /* O_PATH */
    struct stat root_stat;
    bool read_only;
    uint32_t msize;
    GHashTable *fids; /* by number */
};

/* A message being read, or an answer being written. What does not fit is `bad`. */
struct cursor {
    uint8_t *p;
    size_t n, at;
    bool bad;
};

/* --- numbers and strings, little-endian --- */

static uint64_t get(struct cursor *c, unsigned size)
{
    uint64_t v = 0;
    if (c->n - c->at < size) {
        c->bad = true;
        return 0;
    }
    memcpy(&v, c->p + c->at, size);
    c->at += size;
    return le64toh(v);
}

static void put(struct cursor *c, uint64_t v, unsigned size)
{
    v = htole64(v);
    if (c->n - c->at < size) {
        c->bad = true;
        return;
    }
    memcpy(c->p + c->at, &v, size);
    c->at += size;
}

/* A string, made to end with a zero; valid while the cursor's bytes are. A zero inside is no string. */
static void get_text(struct cursor *c, char *text, size_t room)
{
    size_t n = get(c, 2);
    text[0] = 0;
    if (c->bad || n >= room || n > c->n - c->at || memchr(c->p + c->at, 0, n)) {
        c->bad = true;
        return;
    }
    memcpy(text, c->p + c->at, n);
    text[n] = 0;
    c->at += n;
}

static void put_text(struct cursor *c, const char *text)
{
    size_t n = strlen(text);
    put(c, n, 2);
    if (c->bad || c->n - c->at < n) {
        c->bad = true;
        return;
    }
    memcpy(c->p + c->at, text, n);
    c->at += n;
}

static void put_qid(struct cursor *c, const struct stat *st)
{
    put(c, S_ISDIR(st->st_mode) ? QID_DIR : S_ISLNK(st->st_mode) ? QID_SYMLINK : 0, 1);
    put(c, (uint32_t)(st->st_mtim.tv_sec ^ st->st_mtim.tv_nsec ^ st->st_size), 4);
    put(c, st->st_ino ^ (uint64_t)st->st_dev << 48, 8);
}

/* --- files --- */

static void close_fid(gpointer opaque)
{
    struct fid *f = opaque;
    if (f->dir)
        closedir(f->dir);
    if (f->fd >= 0)
        close(f->fd);
    close(f->path);
    g_free(f);
}

static struct fid *find(struct p9 *s, uint32_t number)
{
    return g_hash_table_lookup(s->fids, GUINT_TO_POINTER(number));
}

/* Takes the descriptor. */
static int add_fid(struct p9 *s, uint32_t number, int path)
{
    if (path < 0)
        return errno;
    if (find(s, number) || g_hash_table_size(s->fids) >= MAX_FIDS) {
        close(path);
        return find(s, number) ? EBADF : ENFILE;
    }
    struct fid *f = g_new0(struct fid, 1);
    f->path = path;
    f->fd = -1;
    g_hash_table_insert(s->fids, GUINT_TO_POINTER(number), f);
    return 0;
}

static int stat_of(int path, struct stat *st) { return fstatat(path, "", st, AT_EMPTY_PATH) ? errno : 0; }

/* A name of one component. */
static bool is_name(const char *name) { return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, ".."); }

/* The way to do with a place what wants a path. */
static const char *self_path(const struct fid *f, char *buf, size_t room)
{
    snprintf(buf, room, "/proc/self/fd/%d", f->path);
    return buf;
}

/* A new place below another; above the root there is the root. */
static int step(const struct p9 *s, int from, const char *name)
{
    struct stat st;
    if (!strcmp(name, "..")) {
        int error = stat_of(from, &st);
        if (error || st.st_ino != s->root_stat.st_ino || st.st_dev != s->root_stat.st_dev) {
            errno = error ? error : EXDEV; /* kernels know where they came from and do not ask */
            return -1;
        }
        return fcntl(s->root, F_DUPFD_CLOEXEC, 0);
    }
    if (!is_name(name)) {
        errno = EINVAL;
        return -1;
    }
    return openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* What a guest may ask for when it opens, as Linux' generic flags; others are left out. */
static int open_flags(uint32_t l)
{
    static const struct {
        uint32_t l;
        int host;
    } map[] = {{02000, O_APPEND}, {01000, O_TRUNC},   {0200, O_EXCL},
               {0100, O_CREAT},   {04010000, O_SYNC}, {010000, O_DSYNC}};
    int flags = (int)(l & O_ACCMODE);
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
        if ((l & map[i].l) == map[i].l)
            flags |= map[i].host;
    return flags;
}

static int open_file(struct p9 *s, struct fid *f, uint32_t l)
{
    char path[64];
    struct stat st;
    int error = stat_of(f->path, &st), flags = open_flags(l) & ~(O_CREAT | O_EXCL);
    if (error)
        return error;
    if (f->fd >= 0 || f->dir)
        return EBUSY;
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(f->path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return errno;
        if (!(f->dir = fdopendir(fd))) {
            close(fd);
            return ENOMEM;
        }
        return 0;
    }
    if (!S_ISREG(st.st_mode))
        return ENXIO;
    if (s->read_only && ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC))
        return EROFS;
    f->fd = open(self_path(f, path, sizeof path), flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return f->fd < 0 ? errno : 0;
}

/* --- messages: each reads its arguments, answers, and returns 0 or an error --- */

typedef int handler(struct p9 *s, struct cursor *in, struct cursor *out);

#define FID(name)                                                                                                      \
    struct fid *name = find(s, (uint32_t)get(in, 4));                                                                  \
    if (in->bad || !name)                                                                                              \
        return in->bad ? EPROTO : EBADF

static int t_version(struct p9 *s, struct cursor *in, struct cursor *out)
{
    char version[32];
    uint32_t msize = (uint32_t)get(in, 4);
    get_text(in, version, sizeof version);
    if (in->bad || msize < 4096)
        return EPROTO;
    p9_reset(s);
    s->msize = msize < P9_MAX_MESSAGE ? msize : P9_MAX_MESSAGE;
    put(out, s->msize, 4);
    put_text(out, !strcmp(version, "9P2000.L") ? version : "unknown");
    return 0;
}

static int t_attach(struct p9 *s, struct cursor *in, struct cursor *out)
{
    uint32_t number = (uint32_t)get(in, 4);
    if (in->bad)
        return EPROTO;
    int error = add_fid(s, number, fcntl(s->root, F_DUPFD_CLOEXEC, 0));
    if (!error)
        put_qid(out, &s->root_stat);
    return error;
}

static int t_walk(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(from);
    uint32_t number = (uint32_t)get(in, 4);
    unsigned n = (unsigned)get(in, 2), done = 0;
    size_t count_at = out->at;
    bool same = find(s, number) == from;
    int place = fcntl(from->path, F_DUPFD_CLOEXEC, 0), error = place < 0 ? errno : 0;
    if (in->bad || n > MAX_WALK)
        error = EPROTO;
    put(out, 0, 2);
    for (; done < n && !error; done++) {
        char name[256];
        struct stat st;
        get_text(in, name, sizeof name);
        int next = in->bad ? -1 : step(s, place, name);
        error = in->bad ? EPROTO : next < 0 ? errno : stat_of(next, &st);
        if (error) {
            if (next >= 0)
                close(next);
            break;
        }
        close(place);
        place = next;
        put_qid(out, &st);
    }
    if (error && (!done || in->bad)) {
        if (place >= 0)
            close(place);
        return error;
    }
    if (done < n) { /* a part of the way: how far, and no new number */
        close(place);
    } else if (same && n) {
        close(from->path);
        from->path = place;
    } else if (same) {
        close(place);
    } else if ((error = add_fid(s, number, place))) {
        return error;
    }
    memcpy(out->p + count_at, &(uint16_t){htole16((uint16_t)done)}, 2);
    return 0;
}

static int t_clunk(struct p9 *s, struct cursor *in, struct cursor *out)
{
    uint32_t number = (uint32_t)get(in, 4);
    return g_hash_table_remove(s->fids, GUINT_TO_POINTER(number)) ? 0 : EBADF;
}

/* Kernels use unlinkat; this one gives the number back, as it must, and nothing more. */
static int t_remove(struct p9 *s, struct cursor *in, struct cursor *out)
{
    int error = t_clunk(s, in, out);
    return error ? error : EOPNOTSUPP;
}

static int t_getattr(struct p9 *s, struct cursor *in, struct cursor *out)
{
    enum { BASIC = 0x7ff };
    FID(f);
    struct stat st;
    int error = stat_of(f->path, &st);
    if (error)
        return error;
    put(out, BASIC, 8);
    put_qid(out, &st);
    put(out, st.st_mode, 4);
    put(out, st.st_uid, 4);
    put(out, st.st_gid, 4);
    put(out, st.st_nlink, 8);
    put(out, st.st_rdev, 8);
    put(out, (uint64_t)st.st_size, 8);
    put(out, (uint64_t)st.st_blksize, 8);
    put(out, (uint64_t)st.st_blocks, 8);
    const struct timespec *times[] = {&st.st_atim, &st.st_mtim, &st.st_ctim, &(struct timespec){0}};
    for (unsigned i = 0; i < ARRAY_SIZE(times); i++) {
        put(out, (uint64_t)times[i]->tv_sec, 8);
        put(out, (uint64_t)times[i]->tv_nsec, 8);
    }
    put(out, 0, 8); /* generation, data version: not told */
    put(out, 0, 8);
    return 0;
}

static int t_setattr(struct p9 *s, struct cursor *in, struct cursor *out)
{
    enum { MODE = 1, UID = 2, GID = 4, SIZE = 8, ATIME = 16, MTIME = 32, ATIME_SET = 128, MTIME_SET = 256 };
    FID(f);
    uint32_t valid = (uint32_t)get(in, 4), mode = (uint32_t)get(in, 4), uid = (uint32_t)get(in, 4),
             gid = (uint32_t)get(in, 4);
    uint64_t size = get(in, 8);
    struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    struct stat st;
    char path[64];
    for (unsigned i = 0; i < 2; i++) {
        int64_t seconds = (int64_t)get(in, 8), ns = (int64_t)get(in, 8);
        if (valid & (i ? MTIME : ATIME))
            t[i] = valid & (i ? MTIME_SET : ATIME_SET) ? (struct timespec){seconds, ns % 1000000000}
                                                       : (struct timespec){.tv_nsec = UTIME_NOW};
    }
    if (in->bad)
        return EPROTO;
    if (s->read_only)
        return EROFS;
    int error = stat_of(f->path, &st);
    if (error)
        return error;
    self_path(f, path, sizeof path);
    if (valid & SIZE && !S_ISREG(st.st_mode))
        return EINVAL;
    if (valid & MODE && chmod(path, mode & 07777))
        return errno;
    if (valid & (UID | GID) &&
        fchownat(f->path, "", valid & UID ? uid : (uid_t)-1, valid & GID ? gid : (gid_t)-1, AT_EMPTY_PATH))
        return errno;
    if (valid & SIZE &&
        (size > INT64_MAX || (f->fd >= 0 && !ftruncate(f->fd, (off_t)size) ? 0 : truncate(path, (off_t)size))))
        return size > INT64_MAX ? EFBIG : errno;
    if (valid & (ATIME | MTIME) && utimensat(AT_FDCWD, path, t, 0))
        return errno;
    return 0;
}

static int t_statfs(struct p9 *s, struct cursor *in, struct cursor *out)
{
    enum { V9FS_MAGIC = 0x01021997 };
    FID(f);
    struct statfs fs;
    if (fstatfs(f->path, &fs))
        return errno;
    put(out, V9FS_MAGIC, 4);
    put(out, (uint64_t)fs.f_bsize, 4);
    const uint64_t counts[] = {fs.f_blocks, fs.f_bfree, fs.f_bavail, fs.f_files, fs.f_ffree};
    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++)
        put(out, counts[i], 8);
    put(out, 0, 8);
    put(out, (uint64_t)fs.f_namelen, 4);
    return 0;
}

static int put_opened(const struct fid *f, struct cursor *out)
{
    struct stat st;
    int error = stat_of(f->path, &st);
    if (!error) {
        put_qid(out, &st);
        put(out, 0, 4); /* any size of transfer */
    }
    return error;
}

static int t_lopen(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    uint32_t flags = (uint32_t)get(in, 4);
    int error = in->bad ? EPROTO : open_file(s, f, flags);
    return error ? error : put_opened(f, out);
}

/* After something has been made: the guest's user owns it where that is possible, and its qid is the answer. */
static int put_made(struct fid *dir, const char *name, uint32_t gid, struct cursor *out)
{
    struct stat st;
    if (fchownat(dir->path, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) && errno != EPERM)
        return errno;
    if (fstatat(dir->path, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno;
    put_qid(out, &st);
    return 0;
}

/* The name of a new entry; an error where there must not be one. */
static int new_name(const struct p9 *s, struct cursor *in, char *name, size_t room)
{
    get_text(in, name, room);
    return in->bad ? EPROTO : s->read_only ? EROFS : is_name(name) ? 0 : EINVAL;
}

static int t_lcreate(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    char name[256];
    int error = new_name(s, in, name, sizeof name);
    uint32_t flags = (uint32_t)get(in, 4), mode = (uint32_t)get(in, 4), gid = (uint32_t)get(in, 4);
    if (error || in->bad || f->fd >= 0 || f->dir)
        return error ? error : in->bad ? EPROTO : EBUSY;
    /* an existing file of another kind is not opened: O_EXCL first */
    int fd = openat(f->path, name, open_flags(flags) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
    if (fd < 0 && errno == EEXIST && !(open_flags(flags) & O_EXCL)) {
        int place = step(s, f->path, name);
        struct fid there = {.path = place, .fd = -1};
        if (place < 0)
            return errno;
        error = open_file(s, &there, flags);
        close(place);
        if (there.dir)
            closedir(there.dir);
        fd = there.fd;
        if (error || fd < 0)
            return error ? error : EISDIR;
    } else if (fd < 0) {
        return errno;
    }
    int place = openat(f->path, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0) {
        error = errno;
        close(fd);
        return error;
    }
    if (fchown(fd, (uid_t)-1, gid) && errno != EPERM) {
        error = errno;
        close(fd);
        close(place);
        return error;
    }
    close(f->path);
    f->path = place; /* the number stands for the new file from now on */
    f->fd = fd;
    return put_opened(f, out);
}

static int t_symlink(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    char name[256], target[4096];
    int error = new_name(s, in, name, sizeof name);
    get_text(in, target, sizeof target);
    uint32_t gid = (uint32_t)get(in, 4);
    if (error || in->bad)
        return error ? error : EPROTO;
    return symlinkat(target, f->path, name) ? errno : put_made(f, name, gid, out);
}

static int t_mknod(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    char name[256];
    int error = new_name(s, in, name, sizeof name);
    uint32_t mode = (uint32_t)get(in, 4);
    get(in, 8); /* device number */
    uint32_t gid = (uint32_t)get(in, 4);
    if (error || in->bad)
        return error ? error : EPROTO;
    if ((mode & S_IFMT) != S_IFREG && mode & S_IFMT)
        return EPERM;
    return mknodat(f->path, name, S_IFREG | (mode & 07777), 0) ? errno : put_made(f, name, gid, out);
}

static int t_mkdir(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    char name[256];
    int error = new_name(s, in, name, sizeof name);
    uint32_t mode = (uint32_t)get(in, 4), gid = (uint32_t)get(in, 4);
    if (error || in->bad)
        return error ? error : EPROTO;
    return mkdirat(f->path, name, mode & 07777) ? errno : put_made(f, name, gid, out);
}

static int t_link(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(dir);
    FID(f);
    char name[256], path[64];
    int error = new_name(s, in, name, sizeof name);
    if (error)
        return error;
    return linkat(AT_FDCWD, self_path(f, path, sizeof path), dir->path, name, AT_SYMLINK_FOLLOW) ? errno : 0;
}

static int t_renameat(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(from);
    char old[256], new[256];
    int error = new_name(s, in, old, sizeof old);
    if (error)
        return error;
    FID(to);
    error = new_name(s, in, new, sizeof new);
    if (error)
        return error;
    return renameat(from->path, old, to->path, new) ? errno : 0;
}

static int t_unlinkat(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    char name[256];
    int error = new_name(s, in, name, sizeof name);
    uint32_t flags = (uint32_t)get(in, 4);
    if (error || in->bad)
        return error ? error : EPROTO;
    return unlinkat(f->path, name, flags & AT_REMOVEDIR) ? errno : 0;
}

static int t_readlink(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    char target[4096];
    ssize_t n = readlinkat(f->path, "", target, sizeof target - 1);
    if (n < 0)
        return errno == ENOENT ? EINVAL : errno;
    target[n] = 0;
    put_text(out, target);
    return 0;
}

static int t_read(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    uint64_t offset = get(in, 8), n = get(in, 4), room = out->n - out->at - 4;
    if (in->bad || out->n - out->at < 4)
        return EPROTO;
    if (f->fd < 0)
        return f->dir ? EISDIR : EBADF;
    if (offset > INT64_MAX)
        return EINVAL;
    ssize_t done = pread(f->fd, out->p + out->at + 4, n < room ? n : room, (off_t)offset);
    if (done < 0)
        return errno;
    put(out, (uint64_t)done, 4);
    out->at += (size_t)done;
    return 0;
}

static int t_write(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    uint64_t offset = get(in, 8), n = get(in, 4);
    if (in->bad || n > in->n - in->at)
        return EPROTO;
    if (f->fd < 0)
        return EBADF;
    if (offset > INT64_MAX)
        return EFBIG;
    ssize_t done = pwrite(f->fd, in->p + in->at, n, (off_t)offset);
    if (done < 0)
        return errno;
    put(out, (uint64_t)done, 4);
    return 0;
}

static int t_readdir(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    uint64_t offset = get(in, 8), n = get(in, 4);
    size_t count_at = out->at, start;
    if (in->bad)
        return EPROTO;
    if (!f->dir)
        return EBADF;
    put(out, 0, 4);
    start = out->at;
    seekdir(f->dir, (long)offset);
    errno = 0;
    for (const struct dirent *e; (e = readdir(f->dir));) {
        size_t size = QID_SIZE + 8 + 1 + 2 + strlen(e->d_name);
        if (out->at - start + size > n || out->n - out->at < size)
            break;
        struct stat st = {.st_ino = e->d_ino, .st_dev = s->root_stat.st_dev, .st_mode = (mode_t)DTTOIF(e->d_type)};
        put_qid(out, &st);
        put(out, (uint64_t)e->d_off, 8);
        put(out, e->d_type, 1);
        put_text(out, e->d_name);
    }
    if (errno && out->at == start)
        return errno;
    if (!out->bad)
        memcpy(out->p + count_at, &(uint32_t){htole32((uint32_t)(out->at - start))}, 4);
    return 0;
}

static int t_fsync(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    uint32_t data_only = in->at < in->n ? (uint32_t)get(in, 4) : 0;
    int fd = f->dir ? dirfd(f->dir) : f->fd;
    if (fd < 0)
        return EBADF;
    return (data_only ? fdatasync(fd) : fsync(fd)) ? errno : 0;
}

/* One guest has the folder: its kernel keeps its own locks. */
static int t_lock(struct p9 *s, struct cursor *in, struct cursor *out)
{
    FID(f);
    put(out, 0, 1);
    return 0;
}

static int t_getlock(struct p9 *s, struct cursor *in, struct cursor *out)
{
    enum { UNLOCKED = 2 };
    FID(f);
    char client[256];
    get(in, 1);
    uint64_t start = get(in, 8), length = get(in, 8), process = get(in, 4);
    get_text(in, client, sizeof client);
    put(out, UNLOCKED, 1);
    put(out, start, 8);
    put(out, length, 8);
    put(out, process, 4);
    put_text(out, client);
    return in->bad ? EPROTO : 0;
}

/* Everything is answered before the next message is looked at: nothing is left to be flushed. */
static int t_flush(struct p9 *s, struct cursor *in, struct cursor *out) { return 0; }

static handler *const handlers[256] = {
    [8] = t_statfs,   [12] = t_lopen,   [14] = t_lcreate,  [16] = t_symlink,  [18] = t_mknod,    [22] = t_readlink,
    [24] = t_getattr, [26] = t_setattr, [40] = t_readdir,  [50] = t_fsync,    [52] = t_lock,     [54] = t_getlock,
    [70] = t_link,    [72] = t_mkdir,   [74] = t_renameat, [76] = t_unlinkat, [100] = t_version, [104] = t_attach,
    [108] = t_flush,  [110] = t_walk,   [116] = t_read,    [118] = t_write,   [120] = t_clunk,   [122] = t_remove,
};

size_t p9_serve(struct p9 *s, const uint8_t *message, size_t n, uint8_t *answer, size_t room)
{
    struct cursor in = {.p = (uint8_t *)(uintptr_t)message, .n = n},
                  out = {.p = answer, .n = room < s->msize ? room : s->msize, .at = HEAD};
    uint32_t size = (uint32_t)get(&in, 4);
    uint8_t type = (uint8_t)get(&in, 1);
    uint16_t tag = (uint16_t)get(&in, 2);
    if (in.bad || size < HEAD || size > n || room < HEAD + 4)
        return 0;
    in.n = size;
    int error = handlers[type] ? handlers[type](s, &in, &out) : EOPNOTSUPP;
    if (!error && out.bad)
        error = EMSGSIZE;
    if (error) {
        type = RLERROR - 1;
        out.at = HEAD;
        out.bad = false;
        put(&out, (uint64_t)error, 4);
    }
    size_t end = out.at;
    out.at = 0;
    put(&out, end, 4);
    put(&out, type + 1u, 1);
    put(&out, tag, 2);
    return end;
}

void p9_reset(struct p9 *s)
{
    g_hash_table_remove_all(s->fids);
}

struct p9 *p9_new(const char *folder, bool read_only, char **error)
{
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct p9 *s = g_new0(struct p9, 1);
    if (root < 0 || fstat(root, &s->root_stat)) {
        *error = block_error("cannot serve the folder %s: %s", folder, strerror(errno));
        if (root >= 0)
            close(root);
        g_free(s);
        return NULL;
    }
    s->root = root;
    s->read_only = read_only;
    s->msize = P9_MAX_MESSAGE;
    s->fids = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, close_fid);
    return s;
}

void p9_free(struct p9 *s)
{
    g_hash_table_destroy(s->fids);
    close(s->root);
    g_free(s);
}
