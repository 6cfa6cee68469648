/*
 * A debugged process makes another, or becomes another program. After a fork the child waits until gdb has decided whom
 * it follows: let go, it forgets that it was debugged; followed, it has a copy of the connection already and takes the
 * session. Over execve the connection and what gdb has said about itself go with struct inherit's file.
 */
#include "linux-user/debug-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own-fds.h"
#include "exec/debug.h"
#include "exec/exec.h"
#include "linux-user/host.h"

/* What the next owner of the session has to know. */
struct session_state {
    int connection;
    bool no_ack, processes, points_told;
    uint32_t knows;
    uint64_t pass;
    int ncalls;
    uint64_t calls[DEBUG_MAX_CALLS];
};

static void keep(const struct debug *d, struct session_state *s)
{
    memset(s, 0, sizeof *s);
    s->connection = d->connection;
    s->no_ack = d->session.no_ack;
    s->processes = d->session.processes;
    s->points_told = d->session.points_told;
    s->knows = d->session.knows;
    s->pass = d->pass;
    s->ncalls = d->ncalls;
    memcpy(s->calls, d->calls, sizeof s->calls);
}

static void take(struct debug *d, const struct session_state *s)
{
    d->connection = s->connection;
    d->session.no_ack = s->no_ack;
    d->session.processes = s->processes;
    d->session.points_told = s->points_told;
    d->session.knows = s->knows;
    d->pass = s->pass;
    d->ncalls = s->ncalls;
    memcpy(d->calls, s->calls, sizeof d->calls);
}

/* --- fork --- */

static void close_end(int *fd)
{
    fd_close_own(*fd);
    *fd = -1;
}

void debug_fork_begin(struct task *t)
{
    struct debug *d = t->process->debug;
    if (debug_on(t->process) && d->session.knows & GDB_KNOWS_FORK && !d->child.pid &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, d->child.ends))
        d->child.ends[0] = d->child.ends[1] = -1;
}

void debug_fork_end(struct task *t, int64_t result)
{
    struct debug *d = t->process->debug;
    struct gdb_stop stop = {.kind = GDB_FORK, .other = {result, result}};
    if (!debug_on(t->process) || d->child.ends[0] < 0) /* the child has closed both, or there was nothing to tell */
        return;
    close_end(&d->child.ends[1]);
    if (result <= 0) {
        close_end(&d->child.ends[0]);
        return;
    }
    d->child.control = d->child.ends[0];
    d->child.ends[0] = -1;
    d->child.pid = (pid_t)result;
    debug_report(t, &stop, true);
}

/* The struct is a copy of the parent's, with the state that its locks had. */
void debug_fork_child(struct task *t)
{
    struct process *p = t->process;
    struct debug *old = p->debug, *d = NULL;
    struct session_state state;
    if (!old)
        return;
    p->debug = NULL;
    int control = old->child.ends[1];
    close_end(&old->child.ends[0]);
    close_end(&old->child.control);
    exec_forget_debug(p->exec);
    ssize_t n = -1;
    while (control >= 0 && (n = recv(control, &state, sizeof state, 0)) < 0 && errno == EINTR)
        continue;
    close_end(&control);
    fd_close_own(old->event);
    if (n == sizeof state)
        d = debug_new(p, old->connection);
    if (!d) {
        fd_close_own(old->connection);
        __atomic_fetch_and(&t->watch, ~WATCH_DEBUG, __ATOMIC_SEQ_CST);
        return;
    }
    state.connection = old->connection;
    take(d, &state);
    p->debug = d;
    debug_start(t);
}

bool debug_is_child(const struct debug *d, int64_t process) { return d->child.pid && d->child.pid == process; }

/* Its registers are the parent's at the fork, in the same place of a copy of its memory; they are not for writing. */
struct cpu *debug_child_cpu(struct debug *d, struct gdb_id id)
{
    struct task *t = d->reporter;
    return debug_is_child(d, id.process) && t ? t->cpu : NULL;
}

void debug_child_free(struct debug *d)
{
    close_end(&d->child.control); /* it reads the end */
    d->child.pid = 0;
}

void debug_child_take(struct debug *d)
{
    struct session_state state;
    if (!d->child.pid)
        return;
    keep(d, &state);
    if (send(d->child.control, &state, sizeof state, MSG_NOSIGNAL) == sizeof state)
        d->child.pid = 0;
    debug_child_free(d);
}

/* --- execve --- */

bool debug_save(const struct task *t, FILE *f)
{
    const struct debug *d = t->process->debug;
    struct session_state s = {.connection = -1};
    if (debug_on(t->process))
        keep(d, &s);
    return fwrite(&s, sizeof s, 1, f) == 1;
}

bool debug_restore(struct process *p, FILE *f)
{
    struct session_state s;
    if (fread(&s, sizeof s, 1, f) != 1)
        return false;
    if (s.connection < 0)
        return true;
    fcntl(s.connection, F_SETFD, FD_CLOEXEC);
    fd_own(s.connection);
    p->debug = debug_new(p, s.connection);
    if (!p->debug)
        return false;
    take(p->debug, &s);
    p->debug->is_exec = true;
    return true;
}

/* The session's thread ends, so that no byte is lost; the next program reads on. */
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
    pthread_mutex_unlock(&d->lock);
    if (write(d->event, &one, sizeof one) == sizeof one)
        pthread_join(d->thread, NULL);
    if (d->connection >= 0)
        fcntl(d->connection, F_SETFD, 0);
}

void debug_exec_failed(struct task *t)
{
    struct debug *d = t->process->debug;
    const uint64_t one = 1;
    if (!debug_on(t->process))
        return;
    fcntl(d->connection, F_SETFD, FD_CLOEXEC);
    d->ending = false;
    if (write(d->event, &one, sizeof one) < 0 || !debug_serve(d)) { /* others may have told something meanwhile */
        pthread_mutex_lock(&d->lock);
        debug_release(d);
        pthread_mutex_unlock(&d->lock);
    }
}
