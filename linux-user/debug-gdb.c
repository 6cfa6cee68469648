/* The session's thread, and what gdb sees of the process (struct gdb_ops): see debug.h. */
#include "linux-user/debug-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/own-fds.h"
#include "base/unix-socket.h"
#include "exec/debug.h"
#include "exec/exec.h"
#include "linux-user/guest-process.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/sysroot.h"

/* --- threads --- */

/* The thread that is debugged with this id; NULL: none. It stands still, so it stays. */
static struct task *task_by_id(struct debug *d, struct gdb_id id)
{
    struct task *found = NULL;
    if (id.process > 0 && id.process != d->pid)
        return NULL;
    pthread_mutex_lock(&d->process->lock);
    for (struct task *t = d->process->tasks; t; t = t->next)
        if (t->tid == id.thread && !t->debug.leaving)
            found = t;
    pthread_mutex_unlock(&d->process->lock);
    return found;
}

static bool next_thread(void *o, struct gdb_id *id)
{
    struct debug *d = o;
    int32_t next = 0;
    pthread_mutex_lock(&d->process->lock);
    for (const struct task *t = d->process->tasks; t; t = t->next)
        if (t->tid > id->thread && !t->debug.leaving && (!next || t->tid < next))
            next = t->tid;
    pthread_mutex_unlock(&d->process->lock);
    if (next)
        *id = (struct gdb_id){d->pid, next};
    return next;
}

static struct cpu *cpu_of(void *o, struct gdb_id id)
{
    struct task *t = task_by_id(o, id);
    return t ? t->cpu : NULL;
}

static void thread_name(void *o, struct gdb_id id, struct gdb_text *out)
{
    const struct debug *d = o;
    char path[48], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%lld/comm", (int)d->pid, (long long)id.thread);
    FILE *f = fopen(path, "re");
    if (f && fgets(name, sizeof name, f))
        name[strcspn(name, "\n")] = 0;
    if (f)
        fclose(f);
    gdb_printf(out, "%s", name);
}

/* --- memory: if its protection says no, by the file that is it --- */

/* Bytes from addr on that the guest has mapped, at most n. */
static size_t mapped(const struct debug *d, uint64_t addr, size_t n)
{
    size_t page = d->process->abi->target->page_size, have = 0;
    while (have < n && mm_protection(d->process->mm, addr + have) >= 0)
        have += page - ((addr + have) & (page - 1));
    return have < n ? have : n;
}

static int open_memory(const struct debug *d, int how)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)d->pid);
    return open(path, how | O_CLOEXEC);
}

static size_t read_memory(void *o, struct gdb_id id, uint64_t address, void *to, size_t n)
{
    const struct debug *d = o;
    n = mapped(d, address, n);
    if (n && remote_read(d->pid, to, address, n))
        return n;
    int fd = n ? open_memory(d, O_RDONLY) : -1;
    ssize_t got = fd < 0 ? -1 : pread(fd, to, n, (off_t)address);
    if (fd >= 0)
        close(fd);
    return got < 0 ? 0 : (size_t)got;
}

static bool write_memory(void *o, struct gdb_id id, uint64_t address, const void *from, size_t n)
{
    struct debug *d = o;
    if (mapped(d, address, n) != n)
        return false;
    bool done = remote_write(d->pid, address, from, n);
    int fd = done ? -1 : open_memory(d, O_WRONLY);
    done |= fd >= 0 && pwrite(fd, from, n, (off_t)address) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    mm_overwritten(d->process->mm, address, address + n);
    return done;
}

/* --- breakpoints and watchpoints --- */

static bool set_place(struct debug *d, const struct debug_place *at, bool add)
{
    static const uint8_t access[] = {
        [GDB_POINT_WRITE] = DEBUG_STORE, [GDB_POINT_READ] = DEBUG_LOAD, [GDB_POINT_ACCESS] = DEBUG_ACCESS};
    struct exec *x = d->process->exec;
    return at->kind < GDB_POINT_WRITE ? exec_breakpoint(x, at->address, add)
                                      : exec_watchpoint(x, at->address, at->n, access[at->kind], add);
}

/* One that is there already is not added again, and one that is not is taken away without a word: a child begins
 * without what its parent has, and parents and vfork children share code. */
static bool change_point(void *o, struct gdb_id id, enum gdb_point kind, uint64_t address, uint64_t n, bool add)
{
    struct debug *d = o;
    d = d->lender ? d->lender : d;
    const struct debug_place place = {kind, address, n};
    size_t i = 0;
    while (i < d->nplaces && (d->places[i].kind != kind || d->places[i].address != address || d->places[i].n != n))
        i++;
    if (add == (i < d->nplaces))
        return true;
    if (!add) {
        d->places[i] = d->places[--d->nplaces];
        return set_place(d, &place, false);
    }
    struct debug_place *more = realloc(d->places, (d->nplaces + 1) * sizeof *more);
    if (!more)
        return false;
    d->places = more;
    if (!set_place(d, &place, true))
        return false;
    more[d->nplaces++] = place;
    return true;
}

void debug_forget_places(struct debug *d)
{
    while (d->nplaces)
        set_place(d, &d->places[--d->nplaces], false);
    free(d->places);
    d->places = NULL;
}

/* --- going on and ending --- */

static void act(void *o, struct gdb_id id, const struct gdb_action *action)
{
    struct task *t = task_by_id(o, id);
    if (t)
        t->debug.action = *action;
}

static void go(void *o)
{
    struct debug *d = o;
    pthread_mutex_lock(&d->lock);
    if (!d->told) { /* else that is told next */
        d->stopped = false;
        d->reporter = NULL;
        pthread_cond_broadcast(&d->go);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Where the connection is another's, that one knows of the child by the message. */
static void tell_session(struct debug *d)
{
    const bool ends = d->stop.kind == GDB_EXITED || d->stop.kind == GDB_KILLED;
    debug_stop_all(d);
    d->told = false;
    pthread_mutex_unlock(&d->lock);
    debug_stop_others(d);
    if (d->child_fd >= 0 && d->gdb < 0) {
        debug_add_other(d, d->stop.other.process, d->child_fd, false);
        d->child_fd = -1;
    }
    debug_show(d, d->stop.other.process); /* a holder before this one may have known of it */
    gdb_stopped(&d->session, &d->stop);
    if (ends && d->gdb < 0)
        debug_hand_over(d);
    if (d->gdb >= 0)
        d->session.ended = false; /* it answers until gdb has been told */
    pthread_mutex_lock(&d->lock);
    pthread_cond_broadcast(&d->served);
}

static void interrupt(void *o)
{
    struct debug *d = o;
    struct gdb_id id = {0, 0};
    pthread_mutex_lock(&d->lock);
    bool here = !d->stopped && next_thread(d, &id);
    if (here) { /* no signal: who has the connection wants it to stop with others */
        task_by_id(d, id)->debug.info = (siginfo_t){.si_signo = SIGINT};
        d->stop = (struct gdb_stop){.kind = GDB_SIGNAL, .id = id, .number = d->gdb < 0 ? SIGINT : 0};
        tell_session(d);
    }
    pthread_mutex_unlock(&d->lock);
    if (!here)
        debug_interrupt_others(d);
}

static void detach(void *o, int64_t process)
{
    struct debug *d = o;
    if (process != d->pid)
        return;
    debug_hand_over(d);
    pthread_mutex_lock(&d->lock);
    debug_release(d);
    pthread_mutex_unlock(&d->lock);
    d->session.ended = true;
}

/* The others have been told themselves. */
static void kill_it(void *o, int64_t process)
{
    struct debug *d = o;
    if (process)
        debug_hand_over(d);
    kill(d->pid, SIGKILL);
}

/* --- objects, files, the rest --- */

static bool object(void *o, const char *name, struct gdb_id id, struct gdb_text *out)
{
    struct debug *d = o;
    const struct process *p = d->process;
    const struct task *t = task_by_id(d, id);
    if (!strcmp(name, "auxv")) {
        size_t n = p->auxv_end - p->auxv_start;
        char *bytes = malloc(n + 1);
        n = bytes ? read_memory(d, id, p->auxv_start, bytes, n) : 0;
        gdb_put(out, bytes, n);
        free(bytes);
        return n;
    }
    if (!strcmp(name, "exec-file")) {
        gdb_printf(out, "%s", p->exe_path);
        return true;
    }
    if (!strcmp(name, "siginfo") && t && t->debug.info.si_signo) {
        gdb_put(out, &t->debug.info, sizeof t->debug.info);
        return true;
    }
    return false;
}

static void monitor(void *o, const char *line, struct gdb_text *out)
{
    gdb_printf(out, "A program run by metic has no monitor commands; 'monitor' is for machines (metic-system).\n");
}

static const char *path(void *o, const char *name, char *buffer)
{
    const struct debug *d = o;
    return sysroot_choose(d->process->sysroot, name, buffer);
}

static void pass(void *o, uint64_t signals) { ((struct debug *)o)->pass = signals; }

static void catch_calls(void *o, const uint64_t *calls, int n)
{
    struct debug *d = o;
    d->ncalls = n;
    if (n > 0)
        memcpy(d->calls, calls, (size_t)n * sizeof *calls);
}

static const struct gdb_ops ops = {
    .os = "GNU/Linux",
    .next = next_thread,
    .cpu = cpu_of,
    .name = thread_name,
    .read = read_memory,
    .write = write_memory,
    .point = change_point,
    .act = act,
    .go = go,
    .interrupt = interrupt,
    .detach = detach,
    .kill = kill_it,
    .object = object,
    .monitor = monitor,
    .path = path,
    .pass = pass,
    .catch = catch_calls,
    .other = debug_other_behind,
    .ask = debug_ask,
    .pass_on = debug_pass_on,
    .forget = debug_forget,
};

/* --- the thread --- */

static void send_bytes(void *o, const void *bytes, size_t n)
{
    struct debug *d = o;
    const char *p = bytes;
    if (d->gdb >= 0) {
        debug_tell_holder(d, bytes, n);
        return;
    }
    while (n) {
        ssize_t done = send(d->connection, p, n, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* the end is seen where bytes are read */
        p += done;
        n -= (size_t)done;
    }
}

/* False: the debugger has gone. */
static bool receive(struct debug *d)
{
    char bytes[4096];
    if (d->gdb >= 0)
        return debug_hear_holder(d);
    ssize_t n = recv(d->connection, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        gdb_receive(&d->session, bytes, (size_t)n);
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* False: the thread is to end. */
static bool look(struct debug *d)
{
    uint64_t count;
    bool more = read(d->event, &count, sizeof count) >= 0;
    pthread_mutex_lock(&d->lock);
    while (d->lender && d->ending && !d->gone) {
        d->paused = true;
        pthread_cond_broadcast(&d->served);
        pthread_cond_wait(&d->go, &d->lock);
    }
    d->paused = false;
    more &= !d->ending;
    pthread_mutex_unlock(&d->lock);
    return more;
}

/* What has happened and was not told, if gdb waits for something. */
static void tell_next(struct debug *d)
{
    pthread_mutex_lock(&d->lock);
    if (d->told && d->session.running)
        tell_session(d);
    pthread_mutex_unlock(&d->lock);
    if (d->session.running)
        debug_tell_pending(d);
}

/* Waits for something to do. False: the thread is to end, with or without the debugger. */
static bool serve_once(struct debug *d, bool *gone)
{
    size_t nothers = d->nothers;
    struct pollfd *fds = calloc(2 + nothers, sizeof *fds);
    *gone = !fds;
    if (!fds)
        return false;
    fds[0] = (struct pollfd){d->event, POLLIN, 0};
    fds[1] = (struct pollfd){d->connection, POLLIN, 0};
    for (size_t i = 0; i < nothers; i++)
        fds[2 + i] = (struct pollfd){d->others[i].fd, POLLIN, 0};
    *gone = poll(fds, 2 + nothers, -1) < 0 && errno != EINTR;
    bool more = !*gone && (!fds[0].revents || look(d));
    for (size_t i = 0; more && i < nothers; i++)
        if (fds[2 + i].revents) { /* one at a time, as it may change the list */
            debug_hear_other(d, i);
            break;
        }
    if (more && fds[1].revents)
        *gone = !receive(d);
    free(fds);
    if (more && !*gone && !d->detached)
        tell_next(d);
    return more && !*gone && !d->detached && !d->session.ended;
}

static void *serve(void *opaque)
{
    struct debug *d = opaque;
    bool gone;
    while (serve_once(d, &gone))
        continue;
    if (gone) {
        pthread_mutex_lock(&d->lock);
        debug_release(d);
        pthread_mutex_unlock(&d->lock);
    }
    return NULL;
}

bool debug_serve(struct debug *d)
{
    uint64_t all = ~UINT64_C(0), old;
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
    bool made = !pthread_create(&d->thread, NULL, serve, d);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof all);
    if (!d->lender)
        signals_retake(d->process);
    return made;
}

/* --- the beginning --- */

static int listen_unix(const char *path)
{
    char name[PATH_MAX];
    const char *pid = strstr(path, "%d");
    int n = pid ? snprintf(name, sizeof name, "%.*s%d%s", (int)(pid - path), path, (int)getpid(), pid + 2)
                : snprintf(name, sizeof name, "%s", path);
    if ((size_t)n >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return unix_listen(name);
}

/* An IPv4 address: a static program resolves no names. */
static int listen_tcp(const char *host, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char *end;
    unsigned long n = strtoul(port, &end, 10);
    int yes = 1;
    if (*end || end == port || !n || n > UINT16_MAX) {
        errno = EINVAL;
        return -1;
    }
    a.sin_port = htons((uint16_t)n);
    if (*host && inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &a.sin_addr) != 1) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd >= 0 && (bind(fd, (void *)&a, sizeof a) || listen(fd, 1))) {
        int e = errno;
        close(fd);
        errno = e;
        fd = -1;
    }
    return fd;
}

static int listen_at(const char *where)
{
    const char *colon = strrchr(where, ':');
    char host[64] = "";
    if (!strncmp(where, "unix:", 5))
        return listen_unix(where + 5);
    if (strchr(where, '/'))
        return listen_unix(where);
    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
    return listen_tcp(host, colon ? colon + 1 : where);
}

bool debug_open(struct process *p, const char *where)
{
    int at = listen_at(where), yes = 1, fd;
    if (at < 0) {
        report_error("-g %s: can't wait there for a debugger: %s", where, strerror(errno));
        return false;
    }
    do
        fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    close(at);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    p->debug = fd < 0 ? NULL : debug_new(p, fd_hide(fd));
    if (!p->debug)
        report_error("-g %s: no debugger could be accepted", where);
    return p->debug;
}

void debug_start(struct task *t)
{
    struct debug *d = t->process->debug;
    if (!debug_on(t->process))
        return;
    struct gdb_stop stop = {.kind = d->is_exec ? GDB_EXEC : GDB_SIGNAL, .number = SIGTRAP};
    const bool no_ack = d->session.no_ack, processes = d->session.processes, points_told = d->session.points_told;
    const uint32_t knows = d->session.knows; /* what another process had been told */
    t->tid = d->lender ? 0 : gettid();       /* it has none yet */
    t->watch |= WATCH_DEBUG;
    t->debug.action.how = GDB_CONTINUE;
    stop.id = debug_id(t);
    snprintf(stop.text, sizeof stop.text, "%s", t->process->exe_path);
    gdb_init(&d->session, &ops, d, send_bytes, &stop);
    d->session.no_ack = no_ack;
    d->session.processes = processes;
    d->session.points_told = points_told;
    d->session.knows = knows;
    d->session.running = d->is_exec; /* gdb waits for this stop */
    d->stopped = !d->is_exec;
    if (!debug_serve(d)) {
        pthread_mutex_lock(&d->lock);
        debug_release(d);
        pthread_mutex_unlock(&d->lock);
    } else if (d->is_exec) {
        debug_report(t, &stop, true);
    }
}
