/* The session's thread, and what gdb sees of the process (struct gdb_ops): see debug.h. */
#include "linux-user/debug-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/own-fds.h"
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
    if (id.process > 0 && id.process != getpid())
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
        *id = (struct gdb_id){getpid(), next};
    return next;
}

static struct cpu *cpu_of(void *o, struct gdb_id id)
{
    struct task *t = task_by_id(o, id);
    return t ? t->cpu : debug_child_cpu(o, id);
}

/* A waiting child's registers are the parent's. */
static bool set_register(void *o, struct cpu *cpu, const struct target_reg *r, const void *value)
{
    const struct debug *d = o;
    return !debug_is_child(d, d->session.general.process) && register_write(cpu, r, value);
}

static void thread_name(void *o, struct gdb_id id, struct gdb_text *out)
{
    char path[48], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%lld/comm", (long long)id.thread);
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

/* The process's, or a child's. */
static pid_t process_of(const struct debug *d, struct gdb_id id)
{
    return debug_is_child(d, id.process) ? (pid_t)id.process : getpid();
}

static int open_memory(const struct debug *d, struct gdb_id id, int how)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)process_of(d, id));
    return open(path, how | O_CLOEXEC);
}

static size_t read_memory(void *o, struct gdb_id id, uint64_t address, void *to, size_t n)
{
    n = mapped(o, address, n);
    if (n && remote_read(process_of(o, id), to, address, n))
        return n;
    int fd = n ? open_memory(o, id, O_RDONLY) : -1;
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
    bool done = remote_write(process_of(d, id), address, from, n);
    int fd = done ? -1 : open_memory(d, id, O_WRONLY);
    done |= fd >= 0 && pwrite(fd, from, n, (off_t)address) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    if (!debug_is_child(d, id.process))
        exec_invalidate(d->process->exec, address, address + n);
    return done;
}

/* A child that waits begins without any. */
static bool change_point(void *o, struct gdb_id id, enum gdb_point kind, uint64_t address, uint64_t n, bool add)
{
    static const uint8_t access[] = {
        [GDB_POINT_WRITE] = DEBUG_STORE, [GDB_POINT_READ] = DEBUG_LOAD, [GDB_POINT_ACCESS] = DEBUG_ACCESS};
    struct debug *d = o;
    struct exec *x = d->process->exec;
    return debug_is_child(d, id.process) ||
           (kind < GDB_POINT_WRITE ? exec_breakpoint(x, address, add)
                                   : exec_watchpoint(x, address, n, access[kind], add));
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
    d->stopped = false;
    d->reporter = NULL;
    pthread_cond_broadcast(&d->go);
    pthread_mutex_unlock(&d->lock);
}

static void tell_session(struct debug *d)
{
    debug_stop_all(d);
    d->told = false;
    pthread_mutex_unlock(&d->lock);
    gdb_stopped(&d->session, &d->stop);
    pthread_mutex_lock(&d->lock);
    pthread_cond_broadcast(&d->served);
}

static void interrupt(void *o)
{
    struct debug *d = o;
    struct gdb_id id = {0, 0};
    pthread_mutex_lock(&d->lock);
    if (!d->stopped && next_thread(d, &id)) {
        task_by_id(d, id)->debug.info = (siginfo_t){.si_signo = SIGINT};
        d->stop = (struct gdb_stop){.kind = GDB_SIGNAL, .id = id, .number = SIGINT};
        tell_session(d);
    }
    pthread_mutex_unlock(&d->lock);
}

static void detach(void *o, int64_t process)
{
    struct debug *d = o;
    if (debug_is_child(d, process)) {
        debug_child_free(d);
        return;
    }
    if (process != getpid())
        return;
    debug_child_take(d);
    pthread_mutex_lock(&d->lock);
    debug_release(d);
    pthread_mutex_unlock(&d->lock);
    d->session.ended = true;
}

static void kill_all(void *o)
{
    struct debug *d = o;
    if (d->child.pid)
        kill(d->child.pid, SIGKILL);
    kill(getpid(), SIGKILL);
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
    .set_register = set_register,
    .read = read_memory,
    .write = write_memory,
    .point = change_point,
    .act = act,
    .go = go,
    .interrupt = interrupt,
    .detach = detach,
    .kill = kill_all,
    .object = object,
    .monitor = monitor,
    .path = path,
    .pass = pass,
    .catch = catch_calls,
};

/* --- the thread --- */

static void send_bytes(void *o, const void *bytes, size_t n)
{
    struct debug *d = o;
    const char *p = bytes;
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
    more &= !d->ending;
    if (d->told && more)
        tell_session(d);
    pthread_mutex_unlock(&d->lock);
    return more;
}

static void *serve(void *opaque)
{
    struct debug *d = opaque;
    for (;;) {
        struct pollfd fds[2] = {{d->event, POLLIN, 0}, {d->connection, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents && !look(d))
            return NULL;
        if (fds[1].revents && !receive(d))
            break;
        if (d->detached)
            return NULL;
    }
    pthread_mutex_lock(&d->lock);
    debug_release(d);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

bool debug_serve(struct debug *d)
{
    uint64_t all = ~UINT64_C(0), old;
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
    bool made = !pthread_create(&d->thread, NULL, serve, d);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof all);
    signals_retake(d->process);
    return made;
}

/* --- the beginning --- */

static int listen_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *pid = strstr(path, "%d");
    int n = pid ? snprintf(a.sun_path, sizeof a.sun_path, "%.*s%d%s", (int)(pid - path), path, (int)getpid(), pid + 2)
                : snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if ((size_t)n >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(a.sun_path);
    if (fd >= 0 && (bind(fd, (void *)&a, sizeof a) || listen(fd, 1))) {
        close(fd);
        fd = -1;
    }
    return fd;
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
    t->tid = gettid();
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
