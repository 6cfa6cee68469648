/*
 * A debugged process makes another, or becomes another program. A child begins stopped, with a session of its own
 * behind its parent's connection (debug-group.c). A vfork child's session has its thread in the parent, which waits
 * meanwhile, as they share memory. Over execve connections and what gdb has said about itself go with struct inherit's
 * file.
 */
#include "linux-user/debug-internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own-fds.h"
#include "exec/debug.h"
#include "exec/exec.h"
#include "linux-user/host.h"

static void close_end(int *fd)
{
    fd_close_own(*fd);
    *fd = -1;
}

/* --- fork --- */

static bool make_ends(struct task *t, unsigned event)
{
    struct debug *d = t->process->debug;
    int *ends = t->debug.ends;
    ends[0] = ends[1] = -1;
    if (!debug_on(t->process) || !(d->session.knows & event) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return false;
    for (unsigned i = 0; i < 2; i++)
        ends[i] = fd_hide(ends[i]);
    return true;
}

void debug_fork_begin(struct task *t)
{
    make_ends(t, GDB_KNOWS_FORK);
    t->debug.forking = t->process->debug;
    if (t->debug.forking)
        pthread_mutex_lock(&t->debug.forking->ends_lock);
}

void debug_fork_end(struct task *t, int64_t result)
{
    const struct gdb_stop stop = {.kind = GDB_FORK, .other = {result, result}};
    if (t->debug.forking) /* not in the child */
        pthread_mutex_unlock(&t->debug.forking->ends_lock);
    t->debug.forking = NULL;
    if (t->debug.ends[0] < 0)
        return; /* nothing to tell; the child has closed its own */
    close_end(&t->debug.ends[1]);
    if (result > 0)
        debug_report_child(t, &stop, t->debug.ends[0]);
    else
        fd_close_own(t->debug.ends[0]);
    t->debug.ends[0] = -1;
}

/* The connection to gdb that the process, or a child, may once have. */
static int connection_to_gdb(const struct debug *d) { return d->gdb >= 0 ? d->gdb : d->connection; }

/* The struct is a copy of the parent's, with the state that its locks had. */
void debug_fork_child(struct task *t)
{
    struct process *p = t->process;
    struct debug *old = p->debug, *d = NULL;
    if (!old)
        return;
    t->debug.forking = NULL;
    pthread_mutex_init(&old->ends_lock, NULL); /* it was this thread's */
    p->debug = NULL;
    exec_forget_debug(p->exec);
    debug_free_others(old);
    close_end(&t->debug.ends[0]);
    if (t->debug.ends[1] >= 0 && !old->detached)
        d = debug_new(p, t->debug.ends[1]);
    fd_close_own(old->event);
    fd_close_own(old->child_fd);
    if (old->gdb >= 0)
        fd_close_own(old->connection);
    if (old->lender)
        fd_close_own(connection_to_gdb(old->lender));
    if (!d) {
        fd_close_own(connection_to_gdb(old));
        close_end(&t->debug.ends[1]);
        __atomic_fetch_and(&t->watch, ~WATCH_DEBUG, __ATOMIC_SEQ_CST);
        return;
    }
    d->gdb = connection_to_gdb(old);
    debug_take_manners(d, old);
    t->debug.ends[1] = -1;
    p->debug = d;
    debug_start(t);
}

/* --- vfork --- */

/* The child's session has a descriptor of its own, as gdb may let the parent go first. -1: none. */
static int copy_connection(struct debug *d)
{
    pthread_mutex_lock(&d->ends_lock);
    int fd = fcntl(connection_to_gdb(d), F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&d->ends_lock);
    return fd < 0 ? -1 : fd_hide(fd);
}

void debug_vfork_begin(struct task *t, struct task *child)
{
    struct debug *d = t->process->debug, *own;
    if (!make_ends(t, GDB_KNOWS_VFORK))
        return;
    int gdb = copy_connection(d);
    own = gdb < 0 ? NULL : debug_new(child->process, t->debug.ends[1]);
    if (!own) {
        fd_close_own(gdb);
        close_end(&t->debug.ends[0]);
        close_end(&t->debug.ends[1]);
        return;
    }
    own->gdb = gdb;
    own->lender = d;
    debug_take_manners(own, d);
    child->process->debug = own;
    debug_start(child);
    t->debug.standing = true; /* in a call that nobody can call it out of */
}

/* Tells of itself in its parent's place, which waits in the call. */
void debug_vfork_child(struct task *child, struct task *parent)
{
    struct debug *own = child->process->debug, *d = parent->process->debug;
    if (!own)
        return;
    own->pid = child->tid = getpid();
    own->session.general = own->session.stop.id = debug_id(child);
    const struct gdb_stop stop = {.kind = GDB_VFORK, .other = debug_id(child)};
    pthread_mutex_lock(&d->lock);
    while (d->stopped)
        pthread_cond_wait(&d->go, &d->lock);
    if (!d->detached) {
        d->stopped = d->told = true;
        d->stop = stop;
        d->stop.id = debug_id(parent);
        d->reporter = parent;
        d->child_fd = parent->debug.ends[0];
        parent->debug.ends[0] = -1;
        debug_wake_session(d);
    }
    pthread_mutex_unlock(&d->lock);
    if (parent->debug.ends[0] < 0)
        return;
    pthread_mutex_lock(&own->lock); /* nobody debugs any more: the parent closes the ends */
    debug_release(own);
    pthread_mutex_unlock(&own->lock);
}

void debug_vfork_end(struct task *t, struct task *child, int64_t result)
{
    const struct gdb_stop stop = {.kind = GDB_VFORK_DONE};
    const uint64_t one = 1;
    struct debug *own = child->process->debug;
    if (!own)
        return;
    pthread_mutex_lock(&own->lock);
    own->ending = own->gone = true;
    pthread_cond_broadcast(&own->go);
    pthread_mutex_unlock(&own->lock);
    if (write(own->event, &one, sizeof one) == sizeof one)
        pthread_join(own->thread, NULL);
    fd_close_own(own->connection);
    fd_close_own(own->gdb);
    fd_close_own(own->event);
    close_end(&t->debug.ends[0]);
    child->process->debug = NULL;
    gdb_free(&own->session);
    free(own);
    t->debug.standing = false;
    if (result > 0)
        debug_report(t, &stop, true);
}

/* --- execve --- */

/* What the next program's session has to know. */
struct session_state {
    int connection, gdb;
    bool no_ack, processes, points_told;
    uint32_t knows;
    uint64_t pass;
    int ncalls;
    uint64_t calls[DEBUG_MAX_CALLS];
    size_t nothers;
};
struct other_state { /* and the pending stop */
    int64_t process;
    int fd;
    bool hidden;
    size_t npending;
};

bool debug_save(const struct task *t, FILE *f)
{
    const struct debug *d = t->process->debug;
    struct session_state s = {.connection = -1};
    bool ok = true;
    if (debug_on(t->process)) {
        s = (struct session_state){.connection = d->connection,
                                   .gdb = d->gdb,
                                   .no_ack = d->session.no_ack,
                                   .processes = d->session.processes,
                                   .points_told = d->session.points_told,
                                   .knows = d->session.knows,
                                   .pass = d->pass,
                                   .ncalls = d->ncalls,
                                   .nothers = d->nothers};
        memcpy(s.calls, d->calls, sizeof s.calls);
    }
    ok = fwrite(&s, sizeof s, 1, f) == 1;
    for (size_t i = 0; i < s.nothers; i++) {
        const struct debug_other *e = &d->others[i];
        const struct other_state o = {e->process, e->fd, e->hidden, e->pending.n};
        ok = ok && fwrite(&o, sizeof o, 1, f) == 1 && fwrite(e->pending.bytes, 1, o.npending, f) == o.npending;
    }
    return ok;
}

static void own_again(int fd)
{
    if (fd < 0)
        return;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fd_own(fd);
}

bool debug_restore(struct process *p, FILE *f)
{
    struct session_state s;
    struct other_state o;
    if (fread(&s, sizeof s, 1, f) != 1)
        return false;
    if (s.connection < 0)
        return true;
    own_again(s.connection);
    own_again(s.gdb);
    struct debug *d = p->debug = debug_new(p, s.connection);
    if (!d)
        return false;
    d->gdb = s.gdb;
    d->session.no_ack = s.no_ack;
    d->session.processes = s.processes;
    d->session.points_told = s.points_told;
    d->session.knows = s.knows;
    d->pass = s.pass;
    d->ncalls = s.ncalls;
    memcpy(d->calls, s.calls, sizeof d->calls);
    d->is_exec = true;
    for (size_t i = 0; i < s.nothers; i++) {
        if (fread(&o, sizeof o, 1, f) != 1)
            return false;
        own_again(o.fd);
        char *pending = calloc(1, o.npending + 1);
        bool ok = pending && fread(pending, 1, o.npending, f) == o.npending;
        if (ok)
            debug_add_other(d, o.process, o.fd, o.hidden);
        if (ok)
            debug_set_pending(d, o.process, pending, o.npending);
        free(pending);
        if (!ok)
            return false;
    }
    return true;
}

static void keep_over_exec(const struct debug *d, bool keep)
{
    const int flags = keep ? 0 : FD_CLOEXEC;
    fcntl(d->connection, F_SETFD, flags);
    if (d->gdb >= 0)
        fcntl(d->gdb, F_SETFD, flags);
    for (size_t i = 0; i < d->nothers; i++)
        if (d->others[i].fd >= 0)
            fcntl(d->others[i].fd, F_SETFD, flags);
}

/* The session's thread ends, so that no byte is lost, or pauses, if it is another process's; the next program reads. */
void debug_exec_begin(struct task *t)
{
    struct debug *d = t->process->debug;
    uint64_t one = 1;
    if (!debug_on(t->process))
        return;
    pthread_mutex_lock(&d->lock);
    while (d->stopped)
        debug_stand(d, t);
    d->ending = true;
    bool woken = write(d->event, &one, sizeof one) == sizeof one;
    while (woken && d->lender && !d->paused && !d->detached)
        pthread_cond_wait(&d->served, &d->lock);
    pthread_mutex_unlock(&d->lock);
    if (woken && !d->lender)
        pthread_join(d->thread, NULL);
    if (d->connection >= 0)
        keep_over_exec(d, true);
}

void debug_exec_failed(struct task *t)
{
    struct debug *d = t->process->debug;
    const uint64_t one = 1;
    if (!debug_on(t->process))
        return;
    keep_over_exec(d, false);
    pthread_mutex_lock(&d->lock);
    d->ending = false;
    pthread_cond_broadcast(&d->go);
    if (!d->lender && (write(d->event, &one, sizeof one) < 0 || !debug_serve(d))) /* others may have told something */
        debug_release(d);
    pthread_mutex_unlock(&d->lock);
}
