/* The translation cache's folder: see disk.h. Files are written under another name, then renamed; nobody waits. */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sum.h"
#include "exec/disk-internal.h"

enum {
    STALE_SECONDS = 60,   /* an unfinished file this old has no writer any more */
    TOUCH_SECONDS = 3600, /* precision of "last used" */
    MARK_BYTES = 65536,   /* smaller files are checked as quickly as anything can be known about them */
    SETTLED_SECONDS = 5,  /* a user's file this old gets small additions, too */
    SEEN_SECONDS = 86400, /* what was run once so long ago is as new */
    LEAST_BYTES = 4096,   /* what a file takes of the folder at least */
    MAX_PARENTS = 2,      /* ~/.cache/metic */
    NAME_LENGTH = 32,     /* hex digits of a file's name */
    SECRET_DIGITS = 16,
};

#define SECRET_LINK "seed"
#define UNFINISHED  ".new"

/*
 * Host addresses for code: 1 << 14 places of DISK_SPAN, above what guests are given and below what the host places.
 * Some guests (address sanitizers) want places of their own anywhere below.
 */
static const uint64_t first_centre = UINT64_C(0x700000000000);
enum { PLACES = 1 << 14 };

struct disk {
    char *user, *system; /* folders; NULL: none */
    uint8_t build[DISK_BUILD_ID]; /* metic's own */
    uint64_t secret, max_bytes;
    bool for_others, for_copies;
};

/* --- what may be used --- */

/* Nobody but `owner` (or root, for what is only read) can have written it. */
static bool is_safe(const struct stat *st, bool may_be_roots)
{
    return (st->st_uid == geteuid() || (may_be_roots && st->st_uid == 0)) && !(st->st_mode & 022);
}

/* A folder to read from or to write to, or -1. */
static int open_folder(const char *path, bool may_be_roots)
{
    struct stat st;
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0 && (fstat(fd, &st) || !is_safe(&st, may_be_roots))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_safe(int folder, const char *name, struct stat *st)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode) || !is_safe(st, true))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* --- the secret: what a symbolic link leads to, since that is read, and made whole, by one call --- */

static uint64_t read_secret(int folder)
{
    char digits[SECRET_DIGITS + 1] = "";
    if (readlinkat(folder, SECRET_LINK, digits, sizeof digits) != SECRET_DIGITS ||
        strspn(digits, "0123456789abcdef") != SECRET_DIGITS)
        return 0;
    return strtoull(digits, NULL, 16);
}

/* Of several processes that make one at the same time, one wins. */
static uint64_t make_secret(int folder)
{
    char digits[SECRET_DIGITS + 1];
    uint64_t secret;
    if (getrandom(&secret, sizeof secret, 0) != sizeof secret || !secret)
        return 0;
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)secret);
    if (symlinkat(digits, folder, SECRET_LINK) == 0)
        return secret;
    return errno == EEXIST ? read_secret(folder) : 0;
}

/* --- the folders --- */

/* With up to `parents` folders above it that are not there. */
static bool make_folder(const char *path, unsigned parents)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (errno != ENOENT || !parents || !slash || slash == path)
        return false;
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    return make_folder(parent, parents - 1) && mkdir(path, 0700) == 0;
}

char *disk_default_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = cache && *cache == '/' ? asprintf(&path, "%s/metic/code", cache)
            : home && *home == '/' ? asprintf(&path, "%s/.cache/metic/code", home)
                                   : -1;
    return n < 0 ? NULL : path;
}

/* The executable's first byte: where its ELF header lies, and everything else at its distance. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* The note that the linker has put into this executable. */
static bool own_build_id(uint8_t id[DISK_BUILD_ID])
{
    const char *image = __ehdr_start;
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(image + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        uint64_t at = ph[i].p_vaddr, end = at + ph[i].p_memsz;
        while (ph[i].p_type == PT_NOTE && at + sizeof(Elf64_Nhdr) <= end) {
            const Elf64_Nhdr *n = (const Elf64_Nhdr *)(image + at);
            const char *name = (const char *)(n + 1), *desc = name + ALIGN_UP(n->n_namesz, 4u);
            if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
                memset(id, 0, DISK_BUILD_ID);
                memcpy(id, desc, n->n_descsz < DISK_BUILD_ID ? n->n_descsz : DISK_BUILD_ID);
                return true;
            }
            at += sizeof *n + ALIGN_UP(n->n_namesz, 4u) + ALIGN_UP(n->n_descsz, 4u);
        }
    }
    return false;
}

struct disk *disk_new(const struct disk_options *o)
{
    if (getauxval(AT_SECURE) || geteuid() != getuid() || getegid() != getgid())
        return NULL;
    struct disk *d = calloc(1, sizeof *d);
    if (!d || !own_build_id(d->build)) { /* else metic's build can't be told from others */
        free(d);
        return NULL;
    }
    const char *system = o->system ? o->system : DISK_SYSTEM_FOLDER;
    d->for_others = o->for_others;
    d->for_copies = o->for_copies;
    d->user = o->folder ? strdup(o->folder) : disk_default_folder();
    d->max_bytes = o->max_bytes ? o->max_bytes : (uint64_t)DISK_DEFAULT_MIB << 20;
    int fd = open_folder(system, true);
    if (fd < 0 && o->folder) { /* one that belongs to root is only read, whatever it is called */
        system = o->folder;
        fd = geteuid() ? open_folder(system, true) : -1;
    }
    if (fd >= 0) {
        d->secret = read_secret(fd);
        d->system = d->secret ? strdup(system) : NULL;
        close(fd);
    }
    fd = open_folder(d->user, false);
    /*
     * A folder given by name is made where the one above it is there, which it is not in a sandbox below the first
     * root.
     */
    if (fd < 0 && d->user && make_folder(d->user, o->folder ? 0 : MAX_PARENTS))
        fd = open_folder(d->user, false);
    if (fd >= 0) {
        uint64_t secret = read_secret(fd);
        if (!secret)
            secret = make_secret(fd);
        if (!d->secret)
            d->secret = secret;
        close(fd);
    } else {
        free(d->user);
        d->user = NULL;
    }
    if (!d->secret) {
        disk_free(d);
        return NULL;
    }
    return d;
}

void disk_free(struct disk *d)
{
    if (!d)
        return;
    free(d->user);
    free(d->system);
    free(d);
}

uint64_t disk_secret(const struct disk *d) { return d->secret; }

/* --- keys and names --- */

void disk_key_start(const struct disk *d, struct disk_key *key)
{
    *key = (struct disk_key){.version = DISK_VERSION};
    memcpy(key->build, d->build, sizeof key->build);
}

static void name_of(const struct disk_key *key, const char *suffix, char name[DISK_NAME])
{
    snprintf(name, DISK_NAME, "%016llx%016llx%s", (unsigned long long)hash_bytes(1, key, sizeof *key),
             (unsigned long long)hash_bytes(2, key, sizeof *key), suffix);
}

/*
 * The key in a folder for all users, which was filled on another machine perhaps: the file is known by its build id,
 * and what copying it changes does not count. False: it has none.
 */
static bool portable(struct disk_key *key)
{
    if (key->file.dev || key->file.ino)
        return false;
    key->file.ctime = 0;
    key->file.mtime -= key->file.mtime % 1000000000;
    return true;
}

bool disk_key_finish(const struct disk *d, struct disk_key *key)
{
    if (d->for_others || d->for_copies)
        return portable(key) || !d->for_others; /* without a build id only the file itself is known again */
    return true;
}

/* False: there is no such path. */
static bool path_of(const char *folder, const struct disk_key *key, char path[PATH_MAX])
{
    char name[DISK_NAME];
    name_of(key, "", name);
    return folder && snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/*
 * Whoever writes a file changes its time of modification, and the nanoseconds of that are free to say that the file has
 * been found whole: a number that only this folder's user can calculate, for this file, until the machine is started
 * again - what a crash makes of it is checked. 0: there is none.
 */
static long mark_of(const struct disk *d, const struct stat *st)
{
    enum { NS = 1000000000 };
    struct {
        char boot[40];
        uint64_t secret, dev, ino, bytes;
    } of = {.secret = d->secret, .dev = st->st_dev, .ino = st->st_ino, .bytes = (uint64_t)st->st_size};
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, of.boot, sizeof of.boot) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 ? 1 + (long)(hash_bytes(3, &of, sizeof of) % (NS - 1)) : 0;
}

static bool is_checked(const struct disk *d, const struct stat *st)
{
    return st->st_size >= MARK_BYTES && st->st_mtim.tv_nsec && st->st_mtim.tv_nsec == mark_of(d, st);
}

void disk_found_whole(const struct disk *d, int fd, const struct disk_found *found)
{
    struct stat st;
    if (!found->own || found->checked || fstat(fd, &st) || st.st_size < MARK_BYTES)
        return;
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = st.st_mtime, .tv_nsec = mark_of(d, &st)}};
    if (times[1].tv_nsec)
        futimens(fd, times);
}

static int open_by_key(const struct disk *d, const char *folder, const struct disk_key *key, struct disk_found *found)
{
    char path[PATH_MAX];
    struct stat st;
    if (!path_of(folder, key, path))
        return -1;
    int fd = open_safe(AT_FDCWD, path, &st);
    if (fd >= 0 && !st.st_size) {
        found->seen = true;
        close(fd);
        return -1;
    }
    if (fd < 0)
        return -1;
    found->own = folder == d->user;
    found->checked = found->own && is_checked(d, &st);
    if (found->own && time(NULL) - st.st_mtime > TOUCH_SECONDS) {
        const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                                         {.tv_sec = time(NULL), .tv_nsec = st.st_mtim.tv_nsec}};
        futimens(fd, times);
    }
    return fd;
}

int disk_open_file(const struct disk *d, struct disk_key *key, struct disk_found *found)
{
    struct disk_key shared = *key;
    *found = (struct disk_found){0};
    int fd = open_by_key(d, d->user, key, found);
    if (fd >= 0 || !portable(&shared))
        return fd;
    fd = open_by_key(d, d->user, &shared, found);
    if (fd < 0)
        fd = open_by_key(d, d->system, &shared, found);
    if (fd >= 0)
        *key = shared;
    return fd;
}

uint64_t disk_centre(const struct disk *d, const struct disk_key *key)
{
    uint64_t place = hash_bytes(d->secret, key, sizeof *key) % PLACES;
    return first_centre + place * DISK_SPAN + DISK_SPAN / 2;
}

/* --- writing --- */

/* Files that are not being written: their sizes, times and names. */
struct entry {
    uint64_t bytes;
    struct timespec used;
    char name[DISK_NAME];
};

static bool is_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == NAME_LENGTH &&
           (!name[NAME_LENGTH] || !strcmp(name + NAME_LENGTH, UNFINISHED));
}

static int older(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *)a)->used, *y = &((const struct entry *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/*
 * The folder's files, least recently used first; unfinished ones nobody writes any more are removed. Owned by the
 * caller.
 */
static struct entry *list(int folder, size_t *n)
{
    struct entry *v = NULL;
    size_t room = 0;
    int fd = dup(folder);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    *n = 0;
    if (!dir && fd >= 0)
        close(fd);
    if (dir)
        rewinddir(dir);
    while (dir && (e = readdir(dir))) {
        struct stat st;
        if (!is_name(e->d_name) || fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        bool unfinished = e->d_name[NAME_LENGTH];
        if ((unfinished || !st.st_size) && time(NULL) - st.st_mtime > (unfinished ? STALE_SECONDS : SEEN_SECONDS)) {
            unlinkat(folder, e->d_name, 0);
            continue;
        }
        if (unfinished)
            continue;
        if (*n == room) {
            room = room ? 2 * room : 256;
            v = realloc(v, room * sizeof *v);
            CHECK(v);
        }
        v[*n].bytes = st.st_blocks ? (uint64_t)st.st_blocks * 512 : LEAST_BYTES;
        v[*n].used = st.st_mtim;
        strcpy(v[(*n)++].name, e->d_name);
    }
    if (dir)
        closedir(dir);
    if (*n)
        qsort(v, *n, sizeof *v, older);
    return v;
}

/* Removes what was not used for longest until at most max_bytes are left. */
static void evict(int folder, uint64_t max_bytes, uint64_t *files, uint64_t *bytes)
{
    size_t n;
    struct entry *v = list(folder, &n);
    uint64_t total = 0;
    *files = *bytes = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i].bytes;
    for (size_t i = 0; i < n && total - *bytes > max_bytes; i++)
        if (!unlinkat(folder, v[i].name, 0)) {
            *bytes += v[i].bytes;
            ++*files;
        }
    free(v);
}

bool disk_is_settled(const struct disk *d, const struct disk_key *key)
{
    char path[PATH_MAX];
    struct stat st;
    return path_of(d->user, key, path) && !lstat(path, &st) && time(NULL) - st.st_mtime > SETTLED_SECONDS;
}

bool disk_first_sight(const struct disk *d, const struct disk_key *key)
{
    char path[PATH_MAX];
    if (!path_of(d->user, key, path))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

bool disk_store_begin(struct disk_store *s, const struct disk *d, const struct disk_key *key)
{
    char unfinished[DISK_NAME];
    struct stat st;
    s->size = 0;
    s->folder = open_folder(d->user, false);
    if (s->folder < 0)
        return false;
    name_of(key, UNFINISHED, unfinished);
    s->fd = openat(s->folder, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return true;
    if (errno == EEXIST && !fstatat(s->folder, unfinished, &st, AT_SYMLINK_NOFOLLOW) &&
        time(NULL) - st.st_mtime > STALE_SECONDS)
        unlinkat(s->folder, unfinished, 0); /* the next process may */
    close(s->folder);
    return false;
}

bool disk_store_write(struct disk_store *s, const void *bytes, size_t size)
{
    struct rlimit limit;
    s->size += size;
    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur < s->size)
        return false; /* else a signal would tell */
    for (size_t done = 0; done < size;) {
        ssize_t n = write(s->fd, (const char *)bytes + done, size - done);
        if (n <= 0 && (n == 0 || errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool disk_store_patch(struct disk_store *s, uint64_t at, const void *bytes, size_t size)
{
    return pwrite(s->fd, bytes, size, (off_t)at) == (ssize_t)size;
}

bool disk_store_end(struct disk_store *s, const struct disk *d, const struct disk_key *key, bool keep)
{
    char name[DISK_NAME], unfinished[DISK_NAME];
    struct stat st;
    uint64_t files, freed;
    name_of(key, "", name);
    name_of(key, UNFINISHED, unfinished);
    bool is_new = fstatat(s->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !st.st_size;
    bool ok = keep && fchmod(s->fd, 0644) == 0;
    ok = close(s->fd) == 0 && ok && renameat(s->folder, unfinished, s->folder, name) == 0;
    if (!ok)
        unlinkat(s->folder, unfinished, 0);
    else if (is_new)
        evict(s->folder, d->max_bytes, &files, &freed);
    close(s->folder);
    return ok;
}

/* --- the commands --- */

void disk_status(const struct disk *d, FILE *to)
{
    const char *folder[] = {d->user, d->system};
    static const char *const what[] = {"user's folder", "system's folder"};
    for (unsigned i = 0; i < ARRAY_SIZE(folder); i++) {
        size_t n = 0;
        uint64_t bytes = 0;
        int fd = open_folder(folder[i], true);
        struct entry *v = fd >= 0 ? list(fd, &n) : NULL;
        for (size_t k = 0; k < n; k++)
            bytes += v[k].bytes;
        free(v);
        if (fd >= 0)
            close(fd);
        fprintf(to, "%-16s %s: %zu files, %.1f MiB\n", what[i], folder[i] ? folder[i] : "none", n, bytes / 1048576.0);
    }
    fprintf(to, "%-16s %.1f MiB in the user's folder\n", "limit", d->max_bytes / 1048576.0);
}

bool disk_prune(const struct disk *d, FILE *to)
{
    uint64_t files, bytes;
    int fd = open_folder(d->user, false);
    if (fd < 0) {
        report_error("the translation cache has no folder of this user's: name one with METIC_CODE_CACHE");
        return false;
    }
    evict(fd, d->max_bytes, &files, &bytes);
    close(fd);
    fprintf(to, "removed %llu files, %.1f MiB\n", (unsigned long long)files, bytes / 1048576.0);
    return true;
}
