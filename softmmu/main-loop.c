/* See main-loop.h. */
#include "softmmu/main-loop.h"

enum { NS_PER_MS = 1000000 };

static void notify(void *opaque)
{
    g_main_context_wakeup(((struct main_loop *)opaque)->context);
}

void main_loop_init(struct main_loop *l, struct machine *m, GMainContext *context, void (*reset)(void *opaque),
                    void *opaque)
{
    *l = (struct main_loop){.machine = m, .context = g_main_context_ref(context), .reset = reset, .opaque = opaque};
    m->notify = notify;
    m->opaque = l;
}

void main_loop_free(struct main_loop *l)
{
    l->machine->notify = NULL;
    g_main_context_unref(l->context);
}

/* One turn: what is due, a sleep until something is, what has come. */
static void turn(struct main_loop *l)
{
    struct machine *m = l->machine;
    static const int64_t longest = 1000; /* ms */
    int priority, timeout;
    int64_t ns = clocks_dispatch(&m->clocks);
    g_main_context_prepare(l->context, &priority);
    int n = g_main_context_query(l->context, priority, &timeout, NULL, 0);
    g_autofree GPollFD *fds = g_new(GPollFD, n + 1);
    n = g_main_context_query(l->context, priority, &timeout, fds, n);
    int64_t ms = ns == CLOCK_NEVER ? longest : (ns + NS_PER_MS - 1) / NS_PER_MS;
    if (ms > longest)
        ms = longest;
    if (timeout >= 0 && timeout < ms)
        ms = timeout;
    if (machine_asked(m))
        ms = 0;
    machine_unlock(m);
    g_poll(fds, (guint)n, (gint)ms);
    machine_lock(m);
    g_main_context_check(l->context, priority, fds, n);
    g_main_context_dispatch(l->context);
}

/* The machine ends; false: it is kept, powered off. */
static bool shut_down(struct main_loop *l, enum shutdown_cause cause)
{
    struct machine *m = l->machine;
    machine_tell(m, MACHINE_SHUTDOWN, cause);
    if (!l->no_shutdown || !(shutdown_cause_is_guest(cause) || cause == CAUSE_HOST_QMP_SYSTEM_RESET)) {
        machine_stop(m);
        return true;
    }
    machine_pause(m, RUN_STATE_SHUTDOWN);
    return false;
}

static void reset(struct main_loop *l, enum shutdown_cause cause)
{
    struct machine *m = l->machine;
    bool was_running = m->running;
    machine_stop(m);
    l->reset(l->opaque);
    machine_tell(m, MACHINE_RESET, cause);
    if (was_running)
        machine_run(m);
    else
        m->state = RUN_STATE_PRELAUNCH;
}

/* Sees to what has been asked for. True: that is the end. */
static bool answer(struct main_loop *l)
{
    struct machine *m = l->machine;
    struct machine_requests r = m->requests;
    m->requests = (struct machine_requests){0};
    l->exit_code = r.exit_code;
    if (r.reset && l->no_reboot && !r.shutdown) {
        r.shutdown = true;
        r.shutdown_cause = r.reset_cause;
    }
    if (r.shutdown)
        return shut_down(l, r.shutdown_cause);
    if (r.reset)
        reset(l, r.reset_cause);
    if (r.pause)
        machine_pause(m, r.pause_state);
    if (r.powerdown) {
        machine_tell(m, MACHINE_POWERDOWN, CAUSE_NONE);
        if (l->powerdown)
            l->powerdown(l->opaque);
    }
    return false;
}

int main_loop_run(struct main_loop *l)
{
    struct machine *m = l->machine;
    machine_lock(m);
    g_main_context_acquire(l->context);
    do
        turn(l);
    while (!machine_asked(m) || !answer(l));
    g_main_context_release(l->context);
    machine_unlock(m);
    return l->exit_code;
}
