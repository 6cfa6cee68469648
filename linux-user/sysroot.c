/* The sysroot: see sysroot.h. Symbolic links are followed inside it, as if it were the root. */
#include "linux-user/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/task.h"

enum { MAX_LINKS = 40 };

/* Folders whose contents belong to the machine or to the user, not to the guest's installation. */
static const char *const host_folders[] = {"/proc", "/sys", "/dev", "/run", "/tmp"};

static bool stays_on_host(const char *path)
{
    for (unsigned i = 0; i < ARRAY_SIZE(host_folders); i++) {
        size_t n = strlen(host_folders[i]);
        if (!strncmp(path, host_folders[i], n) && (!path[n] || path[n] == '/'))
            return true;
    }
    return path[strspn(path, "/")] == 0; /* the root itself */
}

/* Drops the last component of out, not going above the first `root` bytes. */
static void go_up(char *out, size_t root)
{
    char *slash = strrchr(out + root, '/');
    if (slash)
        *slash = 0;
}

bool sysroot_join(const char *root, const char *path, enum last_link last_link, char out[PATH_MAX])
{
    char rest[2 * PATH_MAX], link[PATH_MAX];
    if (!root || path[0] != '/' || strlen(path) >= PATH_MAX || strlen(root) >= PATH_MAX)
        return false;
    strcpy(rest, path);
    strcpy(out, root);
    size_t base = strlen(out), links = 0;
    while (base > 0 && out[base - 1] == '/')
        out[--base] = 0;

    for (char *p = rest;;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/"), used = strlen(out);
        if (!n)
            return used > base;
        if (n == 1 && p[0] == '.') {
            p += n;
            continue;
        }
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            go_up(out, base);
            p += n;
            continue;
        }
        if (used + 1 + n >= PATH_MAX)
            return false;
        out[used] = '/';
        memcpy(out + used + 1, p, n);
        out[used + 1 + n] = 0;
        ssize_t len = readlink(out, link, sizeof link - 1);
        if (len < 0 && errno != EINVAL)
            return false;
        bool last = !p[n + strspn(p + n, "/")], slash = p[n];
        /* A relative link at the end needs no help. An absolute one would lead out of the sysroot. */
        if (len > 0 && !(last && (link[0] != '/' || (last_link == LAST_ITSELF && !slash)))) {
            link[len] = 0;
            char tail[PATH_MAX];
            if (++links > MAX_LINKS || strlen(p + n) + (size_t)len >= sizeof tail || strlen(p + n) >= sizeof tail)
                return false;
            strcpy(tail, p + n);
            memcpy(rest, link, (size_t)len);
            strcpy(rest + len, tail);
            out[link[0] == '/' ? base : used] = 0;
            p = rest;
            continue;
        }
        p += n;
    }
}

bool sysroot_lookup(const struct process *p, const char *path, enum last_link last, char out[PATH_MAX])
{
    return p->sysroot && !stays_on_host(path) && sysroot_join(p->sysroot, path, last, out) &&
           !faccessat(AT_FDCWD, out, F_OK, last == LAST_ITSELF ? AT_SYMLINK_NOFOLLOW : 0);
}

bool sysroot_absolute(const struct process *p, int dirfd, const char *path, char out[PATH_MAX])
{
    char link[40];
    if (!p->sysroot)
        return false;
    snprintf(link, sizeof link, dirfd == AT_FDCWD ? "/proc/thread-self/cwd" : "/proc/thread-self/fd/%d", dirfd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n <= 0 || n == PATH_MAX - 1 || out[0] != '/')
        return false;
    out[n] = 0;
    size_t root = strlen(p->sysroot);
    if (!strncmp(out, p->sysroot, root) && (!out[root] || out[root] == '/')) {
        n -= (ssize_t)root;
        memmove(out, out + root, (size_t)n + 1);
    }
    if ((size_t)n + 1 + strlen(path) >= PATH_MAX)
        return false;
    out[n] = '/';
    strcpy(out + n + 1, path);
    return true;
}

const char *sysroot_choose(const char *root, const char *path, char out[PATH_MAX])
{
    return sysroot_join(root, path, LAST_FOLLOWED, out) && !access(out, F_OK) ? out : path;
}

const char *sysroot_find(const char *wanted, const char *triple, const char *loader, char out[PATH_MAX])
{
    char found[PATH_MAX];
    if (wanted && *wanted)
        return wanted;
    if (loader && !access(loader, F_OK))
        return NULL;
    snprintf(out, PATH_MAX, "/usr/%s", triple);
    return loader && sysroot_join(out, loader, LAST_FOLLOWED, found) && !access(found, F_OK) ? out : NULL;
}
