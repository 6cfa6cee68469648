/*
 * A root of another architecture in namespaces of its own: user (only where the caller is no root), mount, pid.
 * Documentation: namespaces(7), user_namespaces(7), pivot_root(2), newuidmap(1).
 */
#ifndef CMD_NAMESPACES_H
#define CMD_NAMESPACES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { MAX_BINDS = 64 };

/*
 * In the root, for programs that unmount /proc: metic, found without it, and a /proc, beside which the kernel makes
 * others.
 */
#define PLACE_OWN   "/dev/.metic"
#define PLACE_METIC PLACE_OWN "/metic"
#define PLACE_CACHE PLACE_OWN "/cache" /* for the caller to bind */

/* A file or folder of the host that appears in the root. */
struct bind {
    char source[PATH_MAX]; /* on the host */
    char target[PATH_MAX]; /* absolute, in the root; "" : not used */
    bool read_only;
    bool optional;         /* not bound where source or target is missing: no error, no new file */
    int tree;              /* detached mount of the source, -1: none */
};

struct place {
    const char *root;
    bool host_pids; /* the host's process numbers and /proc */
    struct bind bind[MAX_BINDS];
    unsigned nbinds;
    /* Mount points that were made, to be removed: paths in the root, owned. */
    char *made[2 * MAX_BINDS];
    unsigned nmade;
};

/*
 * Leaves the namespaces of the host, with the rights to mount; the next child is in the new ones altogether. Ids: root
 * keeps its own; others become root, with their range of /etc/subuid and /etc/subgid behind it where newuidmap(1) is
 * installed. False: the reason was reported.
 */
bool place_unshare(const struct place *p);
/* In that child: makes p->root the root, with /proc, /dev, /sys and the binds. False: the reason was reported. */
bool place_enter(struct place *p);
/* Removes what place_enter made in the root. */
void place_leave(struct place *p);

/*
 * Waits for `child` as the first process of a pid namespace does: reaps all others, hands on signals that were sent to
 * this process. Answers the wait status. All signals must be blocked.
 */
int place_wait(pid_t child);

#endif
