/* See main-loop.h. */
#include "softmmu/main-loop.h"

enum { NS_PER_MS = 1000000 };

static void notify(void *opaque)
{
    g_main_context_wakeup(((struct main_loop *)opaque)->context);
}

void main_loop_init(struct main_loop *l, struct machine *m, GMainContext *context, void (*reset)(void *opaque), void *opaque)
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
    if (m->request)
        ms = 0;
    machine_unlock(m);
    g_poll(fds, (guint)n, (gint)ms);
    machine_lock(m);
    g_main_context_check(l->context, priority, fds, n);
    g_main_context_dispatch(l->context);
}

int main_loop_run(struct main_loop *l)
{
    struct machine *m = l->machine;
    int code = 0;
    machine_lock(m);
    g_main_context_acquire(l->context);
    for (;;) {
        turn(l);
        enum machine_request request = m->request;
        if (!request)
            continue;
        bool was_running = m->running;
        machine_stop(m);
        code = m->exit_code;
        m->request = REQUEST_NONE;
        if (request == REQUEST_SHUTDOWN || l->no_reboot)
            break;
        l->reset(l->opaque);
        if (was_running)
            machine_run(m);
    }
    g_main_context_release(l->context);
    machine_unlock(m);
    return code;
}
