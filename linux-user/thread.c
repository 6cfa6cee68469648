/*
 * Guest threads on host threads, and fork in its forms.
 *
 * The host kernel keeps what belongs to a thread: its id, the robust list and the word it clears and wakes at its end
 * are the guest's own, registered with the host. That word is cleared when the kernel has done with the thread, in the
 * kernel's own order, so the host's C library must not depend on it: threads run on stacks that are managed here, and a
 * stack is used again when the id of its last thread is gone.
 *
 * A child that shares memory (vfork, posix_spawn) runs on a stack of its own with the thread-local storage of the host
 * thread that waits for it. When the guest does not wait, a thread is made that does.
 */
#include "linux-user/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>

#include "base/bits.h"
#include "base/log.h"
#include "exec/exec.h"
#include "linux-user/host-clone.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

/* --- host stacks --- */

enum { STACK_SIZE = 512 << 10, STACK_GUARD = 4096 };

struct host_stack {
    struct host_stack *next;
    char *base; /* of the guard page; STACK_SIZE bytes in all */
    pid_t tid;  /* the ended thread that may still stand on it; 0: none */
};

static bool stack_is_free(const struct host_stack *s)
{
    return !s->tid || host_call(SYS_tgkill, getpid(), s->tid, 0) == -ESRCH;
}

static struct host_stack *stack_get(struct process *p)
{
    struct host_stack *s = NULL;
    pthread_mutex_lock(&p->lock);
    for (struct host_stack **at = &p->stacks; *at; at = &(*at)->next)
        if (stack_is_free(*at)) {
            s = *at;
            *at = s->next;
            break;
        }
    pthread_mutex_unlock(&p->lock);
    if (s || !(s = calloc(1, sizeof *s)))
        return s;
    s->base = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (s->base == MAP_FAILED) {
        free(s);
        return NULL;
    }
    mprotect(s->base, STACK_GUARD, PROT_NONE);
    return s;
}

/* tid: whose id must be gone before the stack is used again. */
static void stack_put(struct process *p, struct host_stack *s, pid_t tid)
{
    s->tid = tid;
    pthread_mutex_lock(&p->lock);
    s->next = p->stacks;
    p->stacks = s;
    pthread_mutex_unlock(&p->lock);
}

static void *do_nothing(void *arg) { return arg; }

/*
 * With the first thread it makes, the host's C library takes its reserved signals. They must be the guest's again
 * before a second one can send them. All signals are blocked. A tracer is not shown the thread.
 */
static int make_first_thread(struct task *t, const pthread_attr_t *attr)
{
    pthread_t thread;
    pthread_attr_t joinable = *attr;
    pthread_attr_setdetachstate(&joinable, PTHREAD_CREATE_JOINABLE);
    tracee_fork_pause(t, true);
    int error = pthread_create(&thread, &joinable, do_nothing, NULL);
    tracee_fork_pause(t, false);
    if (!error)
        pthread_join(thread, NULL);
    signals_retake(t->process);
    return error;
}

/*
 * The next process or thread that anybody makes in this namespace gets the id, if that is free (proc(5)). 0 or -errno.
 */
static int64_t choose_next_id(int32_t id)
{
    char text[16];
    int64_t fd = host_call(SYS_openat, AT_FDCWD, "/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd == -EACCES ? -EPERM : fd;
    int64_t ret = host_call(SYS_write, fd, text, snprintf(text, sizeof text, "%d", id - 1));
    host_call(SYS_close, fd);
    return ret < 0 ? ret : 0;
}

/* Starts a detached host thread of t's process on the stack, with all signals blocked; id: that it may get, 0: any. */
static int start_thread(struct task *t, struct host_stack *s, void *(*fn)(void *), void *arg, int32_t id)
{
    pthread_attr_t attr;
    pthread_t thread;
    uint64_t all = ~UINT64_C(0), old;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstack(&attr, s->base + STACK_GUARD, STACK_SIZE - STACK_GUARD);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
    int error = __libc_single_threaded ? make_first_thread(t, &attr) : 0;
    if (!error) {
        host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all); /* the library has let its own in */
        error = id ? (int)-choose_next_id(id) : 0;
        if (!error)
            error = pthread_create(&thread, &attr, fn, arg);
    }
    pthread_attr_destroy(&attr);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof all);
    return error;
}

/* --- a child's registers and memory words --- */

/* A task of p with the registers and the mask of t. */
static struct task *child_task(struct task *t, struct process *p, const struct clone_request *r)
{
    struct cpu *cpu = cpu_clone(t->cpu);
    if (!cpu)
        return NULL;
    struct task *child = task_new(p, cpu);
    if (!child) {
        cpu_free(cpu);
        return NULL;
    }
    child->signals.mask = t->signals.mask;
    pthread_mutex_lock(&p->lock); /* filters may be given to all threads meanwhile */
    child->seccomp = t->seccomp;
    child->watch = t->watch & (WATCH_SECCOMP | WATCH_MEMORY | (debug_on(p) ? WATCH_DEBUG : 0));
    child->debug.action.how = GDB_CONTINUE;
    pthread_mutex_unlock(&p->lock);
    tracee_born(child, t, r);
    return child;
}

static void child_registers(struct task *child, const struct clone_request *r)
{
    child->abi->set_result(child->cpu, 0);
    if (r->stack_pointer)
        child->abi->set_stack_pointer(child->cpu, r->stack_pointer);
    if (r->flags & CLONE_SETTLS)
        child->abi->set_tls(child->cpu, r->tls);
}

static void store_tid(struct task *t, uint64_t to)
{
    int32_t tid = gettid();
    put_user(t, tid, to); /* the kernel does not tell the caller of a bad address either */
}

/* The child's words that name it; in the child, before it runs. */
static void child_words(struct task *child, const struct clone_request *r)
{
    if (r->flags & CLONE_PARENT_SETTID && r->flags & CLONE_VM)
        store_tid(child, r->parent_tid);
    if (r->flags & CLONE_CHILD_SETTID)
        store_tid(child, r->child_tid);
    if (r->flags & CLONE_CHILD_CLEARTID)
        host_call(SYS_set_tid_address, r->child_tid);
}

static void store_pidfd(struct task *t, const struct clone_request *r, int64_t pid)
{
    int32_t pidfd;
    if (pid > 0 && r->flags & CLONE_PIDFD) {
        pidfd = (int32_t)host_call(SYS_pidfd_open, pid, r->flags & CLONE_THREAD ? PIDFD_THREAD : 0);
        put_user(t, pidfd, r->pidfd);
    }
}

/* --- threads --- */

/* What a new host thread gets from its maker, who waits until it is ready. */
struct thread_start {
    struct task *task;
    const struct clone_request *request;
    sem_t ready;
    int64_t result; /* its id, or -errno */
};

/* The calling thread into the control group of the descriptor. */
static int64_t enter_cgroup(uint64_t cgroup)
{
    int64_t fd = host_call(SYS_openat, (int)cgroup, "cgroup.threads", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR ? -EBADF : fd;
    int64_t ret = host_call(SYS_write, fd, "0", 1);
    host_call(SYS_close, fd);
    return ret < 0 ? ret : 0;
}

/* What the new thread is not to share with the process; a host thread begins sharing everything. */
static int64_t unshare_rest(const struct clone_request *r)
{
    uint64_t flags = r->flags;
    uint64_t off = (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) & ~flags;
    off |= flags & (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP);
    int64_t ret = flags & CLONE_INTO_CGROUP ? enter_cgroup(r->cgroup) : 0;
    return ret || !off ? ret : host_call(SYS_unshare, off);
}

static void *thread_main(void *arg)
{
    struct thread_start *start = arg;
    struct task *t = start->task;
    struct process *p = t->process;
    struct host_stack *stack = t->stack;
    const struct clone_request *r = start->request;
    int64_t result = r->nset_tid && gettid() != r->set_tid[0] ? -EEXIST : unshare_rest(r);
    bool ok = result == 0;
    if (ok) {
        ok = task_signals_start(t);
        result = ok ? gettid() : -ENOMEM;
    }
    if (ok) {
        t->tid = (int32_t)result; /* who asks for the process's threads now finds it */
        child_words(t, start->request);
    }
    start->result = result;
    sem_post(&start->ready);
    if (ok) {
        task_run(t);
    } else {
        task_free(t);
        stack_put(p, stack, gettid());
    }
    return NULL;
}

static int64_t create_thread(struct task *t, const struct clone_request *r)
{
    struct thread_start start = {.request = r};
    struct process *p = t->process;
    if (!signal_block_all(t))
        return -SYS_RESTART_ALWAYS;
    struct host_stack *stack = stack_get(p);
    start.task = stack ? child_task(t, p, r) : NULL;
    if (!start.task) {
        if (stack)
            stack_put(p, stack, 0);
        signal_set_mask(t, t->signals.mask);
        return -EAGAIN;
    }
    start.task->stack = stack;
    child_registers(start.task, r);
    sem_init(&start.ready, 0, 0);
    int error = start_thread(t, stack, thread_main, &start, r->nset_tid ? r->set_tid[0] : 0);
    if (error) {
        task_free(start.task);
        stack_put(p, stack, 0);
        start.result = r->nset_tid ? -error : -EAGAIN;
    } else {
        while (sem_wait(&start.ready))
            ;
    }
    sem_destroy(&start.ready);
    store_pidfd(t, r, start.result);
    signal_set_mask(t, t->signals.mask);
    return start.result;
}

/* The C library that makes the thread knows nothing of a chosen id: others may take it first, in a row at worst. */
int64_t thread_create(struct task *t, const struct clone_request *r)
{
    enum { TRIES = 16 };
    int64_t result = -EEXIST;
    bool taken = false;
    for (unsigned i = 0; i < (r->nset_tid ? TRIES : 1) && result == -EEXIST && !taken; i++) {
        result = create_thread(t, r);
        taken = result == -EEXIST && host_call(SYS_kill, r->set_tid[0], 0) != -ESRCH;
    }
    return result;
}

void thread_leave(struct task *t)
{
    struct process *p = t->process;
    struct host_stack *stack = t->stack;
    int code = t->exit_code;
    uint64_t all = ~UINT64_C(0);
    pthread_mutex_lock(&p->lock);
    bool only = p->tasks == t && !t->next;
    pthread_mutex_unlock(&p->lock);
    pid_t tid = gettid();
    bool first = tid == getpid() || !stack;
    if ((first && (only || p->vfork_child)) || (only && debug_on(p))) /* nothing to tidy up: what a vfork child has is freed by its parent */
        process_exit(t, code);
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
    task_signals_end(t);
    task_free(t);
    /* The process's status is that of the first or the last thread: the kernel sees to that, by its age. */
    pthread_mutex_lock(&p->lock);
    bool last = !p->tasks;
    pthread_mutex_unlock(&p->lock);
    if (last) /* its status is not the process's */
        exec_stop_background(p->exec);
    if (first || last)
        for (;;)
            host_call(SYS_exit, code);
    stack_put(p, stack, tid);
}

/* --- processes that share memory --- */

struct sharing_start {
    const struct clone_request *request;
    struct process *process; /* the child's */
    struct task *task, *parent;
    struct host_stack *stack;
    pid_t tid;               /* written by the kernel before the child runs */
    struct sharing_news *news; /* NULL: the guest itself waits for the child's end */
};

/* Told by the child, or after a failure. */
struct sharing_news {
    sem_t told;
    int64_t result; /* the child's id, or -errno */
};

static void tell(struct sharing_news *n, int64_t result)
{
    n->result = result;
    sem_post(&n->told);
}

/* Handlers go, ignored signals stay: CLONE_CLEAR_SIGHAND. */
static void clear_handlers(struct process *p)
{
    for (int s = 1; s <= LINUX_NSIG; s++) {
        struct linux_sigaction a = {0}, *now = &p->actions.action[s];
        if (now->handler > 1)
            signal_set_action(p, s, &a, NULL);
    }
}

static int sharing_main(void *arg)
{
    struct sharing_start *start = arg;
    struct task *t = start->task;
    if (start->request->flags & CLONE_CLEAR_SIGHAND)
        clear_handlers(start->process);
    current_task = t;
    signals_end_in_order(start->process);
    signal_set_mask(t, t->signals.mask);
    child_words(t, start->request);
    if (start->news)
        tell(start->news, start->tid);
    else
        debug_vfork_child(t, start->parent);
    task_run(t);
    return 0;
}

/* Parts of the request that are the host kernel's to do. */
static uint64_t host_flags(const struct clone_request *r)
{
    const uint64_t ours = CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID |
                          CLONE_THREAD | CLONE_CLEAR_SIGHAND | CLONE_DETACHED | CLONE_PIDFD;
    return r->flags & ~ours;
}

static struct host_clone host_clone(const struct clone_request *r)
{
    return (struct host_clone){
        .flags = host_flags(r),
        .exit_signal = r->flags & CLONE_PARENT ? 0 : (uint64_t)r->exit_signal, /* clone3 minds what clone ignores */
        .set_tid = r->nset_tid ? (uintptr_t)r->set_tid : 0,
        .set_tid_size = r->nset_tid,
        .cgroup = r->cgroup,
    };
}

/* Makes the child and waits until it shares memory no more; its id or -errno. All signals are blocked. */
static int64_t sharing_run(struct sharing_start *start)
{
    struct task *waiting = current_task;
    struct host_clone args = host_clone(start->request);
    args.flags |= CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID;
    args.parent_tid = (uintptr_t)&start->tid;
    args.stack = (uintptr_t)start->stack->base + STACK_GUARD;
    args.stack_size = STACK_SIZE - STACK_GUARD;
    signal_hold_messages(true); /* until the child's task is the current one: it gives itself its mask */
    int64_t result = host_clone_call(&args, sharing_main, start);
    current_task = waiting;
    signal_hold_messages(false);
    if (result < 0 && start->news)
        tell(start->news, result);
    return result;
}

static void sharing_free(struct sharing_start *start, struct process *owner)
{
    if (start->task) {
        /* Its process is gone, if by a signal perhaps in the middle of guest code: nobody is to wait for it. */
        __atomic_store_n(&start->task->cpu->in_code, 0, __ATOMIC_SEQ_CST);
        mm_child_ended(owner->mm);
        exec_child_ended(owner->exec);
        task_free(start->task);
    }
    if (start->stack)
        stack_put(owner, start->stack, 0);
    if (start->process)
        pthread_mutex_destroy(&start->process->lock);
    free(start->process);
}

static bool sharing_prepare(struct sharing_start *start, struct task *t, const struct clone_request *r)
{
    start->request = r;
    start->process = malloc(sizeof *start->process);
    if (!start->process)
        return false;
    memcpy(start->process, t->process, sizeof *start->process);
    pthread_mutex_init(&start->process->lock, NULL);
    start->process->tasks = NULL;
    start->process->dying = NULL;
    tracer_forget_all(start->process);
    start->process->stacks = NULL;
    start->process->vfork_child = true;
    start->process->debug = NULL;
    start->stack = stack_get(t->process);
    start->task = start->stack ? child_task(t, start->process, r) : NULL;
    if (!start->task)
        return false;
    start->task->signals.altstack =
        r->flags & CLONE_VFORK ? t->signals.altstack : (struct linux_stack){.flags = SS_DISABLE};
    child_registers(start->task, r);
    return true;
}

/* A helper thread of the emulator waits in the guest's place; it owns the request and itself. */
struct sharing_helper {
    struct sharing_start start;
    struct clone_request request;
    struct process *owner;
    struct host_stack *stack;
};

static void *sharing_helper_main(void *arg)
{
    struct sharing_helper *h = arg;
    struct process *owner = h->owner;
    struct host_stack *stack = h->stack;
    if (signal_host_stack_start(h->start.task)) { /* the child's, too */
        sharing_run(&h->start);
        signal_host_stack_end(h->start.task);
    } else {
        tell(h->start.news, -ENOMEM);
    }
    sharing_free(&h->start, owner);
    free(h);
    stack_put(owner, stack, gettid());
    return NULL;
}

static int64_t share_beside(struct task *t, const struct clone_request *r)
{
    struct sharing_news news = {.result = -ENOMEM};
    struct sharing_helper *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->request = *r;
    h->owner = t->process;
    h->stack = stack_get(t->process);
    bool prepared = sharing_prepare(&h->start, t, &h->request);
    sem_init(&news.told, 0, 0);
    h->start.news = &news;
    if (prepared && h->stack && !start_thread(t, h->stack, sharing_helper_main, h, 0)) {
        while (sem_wait(&news.told))
            ;
    } else {
        if (h->stack)
            stack_put(t->process, h->stack, 0);
        sharing_free(&h->start, t->process);
        free(h);
    }
    sem_destroy(&news.told);
    return news.result;
}

int64_t process_create_sharing(struct task *t, const struct clone_request *r)
{
    int64_t pid = -ENOMEM;
    if (!signal_block_all(t))
        return -SYS_RESTART_ALWAYS;
    if (r->flags & CLONE_VFORK) {
        struct sharing_start start = {0};
        start.parent = t;
        if (sharing_prepare(&start, t, r)) {
            debug_vfork_begin(t, start.task);
            pid = sharing_run(&start);
            debug_vfork_end(t, start.task, pid);
        }
        sharing_free(&start, t->process);
    } else {
        pid = share_beside(t, r);
    }
    store_pidfd(t, r, pid);
    signal_set_mask(t, t->signals.mask);
    return pid;
}

/* --- fork --- */

/* The child is traced anew, or not at all: from here on a tracer's messages are for it. */
static void forked_tracee(struct task *t, const struct clone_request *r)
{
    t->tid = getpid();
    tracer_forget_all(t->process);
    tracee_born(t, t, r);
    signal_hold_messages(false);
}

/* Only this thread lives on in the child. held: signals held for the parent; others have come for the child. */
static void forked_child(struct task *t, const struct clone_request *r, uint64_t held)
{
    struct process *p = t->process;
    pthread_mutex_init(&p->lock, NULL);
    log_fork();
    for (struct task *other = p->tasks, *next; other; other = next) {
        next = other->next;
        if (other == t)
            continue;
        if (other->stack) {
            other->stack->next = p->stacks;
            p->stacks = other->stack;
        }
        task_signals_forget(other);
        free(other);
    }
    for (struct host_stack *s = p->stacks; s; s = s->next)
        s->tid = 0;
    p->tasks = t;
    t->next = NULL;
    t->dispatch.on = false;
    user_dispatch_watch(t);
    t->stack = NULL; /* the first thread of its process now */
    p->vfork_child = false;
    p->dying = NULL;
    __atomic_fetch_and(&t->signals.held, ~held, __ATOMIC_SEQ_CST);
    child_registers(t, r);
    child_words(t, r);
    signals_fork_child(p);
    if (r->flags & CLONE_CLEAR_SIGHAND)
        clear_handlers(p);
    debug_fork_child(t);
}

int64_t process_fork(struct task *t, const struct clone_request *r)
{
    struct process *p = t->process;
    int64_t pid;
    const uint64_t done_here = CLONE_PIDFD | CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID |
                               CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND;
    if (!signal_block_all(t))
        return -SYS_RESTART_ALWAYS;
    pthread_mutex_lock(&p->lock);
    mm_fork_begin(p->mm);
    exec_fork_prepare(p->exec);
    mm_fork_prepare(p->mm);
    const uint64_t held = t->signals.held;
    signal_hold_messages(true);
    /* The C library's fork keeps its own locks in order; other kinds of child it doesn't know. */
    if (!(r->flags & ~done_here) && r->exit_signal == SIGCHLD && !r->nset_tid) {
        pid = fork();
        pid = pid < 0 ? -errno : pid;
    } else {
        struct host_clone args = host_clone(r);
        pid = host_call(SYS_clone3, &args, sizeof args);
    }
    if (pid == 0) {
        forked_tracee(t, r);
        exec_fork_child(p->exec, t->cpu);
        mm_forget_not_forked(p->mm);
        mm_fork_child(p->mm);
        mm_fork_done(p->mm);
        forked_child(t, r, held);
        signal_set_mask(t, t->signals.mask);
        return -SYS_KEEP_REGS;
    }
    signal_hold_messages(false);
    exec_fork_parent(p->exec);
    mm_fork_done(p->mm);
    pthread_mutex_unlock(&p->lock);
    if (pid > 0 && r->flags & CLONE_PARENT_SETTID) {
        int32_t tid = (int32_t)pid;
        put_user(t, tid, r->parent_tid);
    }
    store_pidfd(t, r, pid);
    signal_set_mask(t, t->signals.mask);
    return pid;
}
