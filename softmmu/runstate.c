/* Run states, events and requests: see runstate.h. */
#include "softmmu/runstate.h"

#include "base/log.h"
#include "softmmu/machine.h"

const char *run_state_name(enum run_state s)
{
    static const char *const names[] = {
#define X(NAME, name, doc) name,
        RUN_STATES(X)
#undef X
    };
    return names[s];
}

static const struct {
    const char *name;
    bool guest;
} causes[] = {
#define X(NAME, name, guest) {name, guest},
    SHUTDOWN_CAUSES(X)
#undef X
};

const char *shutdown_cause_name(enum shutdown_cause c) { return causes[c].name; }
bool shutdown_cause_is_guest(enum shutdown_cause c) { return causes[c].guest; }

bool run_state_needs_reset(enum run_state s) { return s == RUN_STATE_SHUTDOWN || s == RUN_STATE_INTERNAL_ERROR; }

/* --- who is told --- */

void machine_listen(struct machine *m, struct machine_listener *l)
{
    struct machine_listener **at = &m->listeners;
    while (*at)
        at = &(*at)->next;
    l->next = NULL;
    *at = l;
}

void machine_unlisten(struct machine *m, struct machine_listener *l)
{
    struct machine_listener **at = &m->listeners;
    while (*at && *at != l)
        at = &(*at)->next;
    if (*at)
        *at = l->next;
}

void machine_tell(struct machine *m, enum machine_event_kind kind, enum shutdown_cause cause)
{
    machine_tell_event(m, &(struct machine_event){.kind = kind, .cause = cause});
}

void machine_tell_event(struct machine *m, struct machine_event *e)
{
    e->state = m->state;
    for (struct machine_listener *l = m->listeners, *next; l; l = next) {
        next = l->next; /* it may go */
        l->event(l->opaque, e);
    }
}

/* --- in the main loop --- */

void machine_pause(struct machine *m, enum run_state s)
{
    CHECK(s != RUN_STATE_RUNNING);
    bool ran = m->running;
    machine_stop(m);
    m->state = s;
    if (ran)
        machine_tell(m, MACHINE_STOPPED, CAUSE_NONE);
}

bool machine_resume(struct machine *m)
{
    if (run_state_needs_reset(m->state))
        return false;
    if (m->running)
        return true;
    m->state = RUN_STATE_RUNNING;
    machine_tell(m, MACHINE_RESUMED, CAUSE_NONE);
    machine_run(m);
    return true;
}

void machine_restore(struct machine *m, enum run_state before)
{
    if (before == RUN_STATE_RUNNING)
        machine_resume(m);
    else
        machine_pause(m, before);
}

/* --- requests --- */

/* Nobody runs on into what comes behind a power-off. */
static void hold(struct machine *m)
{
    m->stop = true;
    for (unsigned i = 0; i < m->nprocessors; i++)
        processor_kick(m->processor[i]);
    machine_wake(m);
}

void machine_ask_shutdown(struct machine *m, enum shutdown_cause cause, int exit_code)
{
    struct machine_requests *r = &m->requests;
    if (!r->shutdown) {
        r->shutdown = true;
        r->shutdown_cause = cause;
        r->exit_code = exit_code;
    }
    hold(m);
}

void machine_ask_reset(struct machine *m, enum shutdown_cause cause)
{
    struct machine_requests *r = &m->requests;
    if (!r->reset)
        r->reset_cause = cause;
    r->reset = true;
    hold(m);
}

void machine_ask_powerdown(struct machine *m)
{
    m->requests.powerdown = true;
    machine_wake(m);
}

void machine_ask_pause(struct machine *m, enum run_state s)
{
    m->requests.pause = true;
    m->requests.pause_state = s;
    hold(m);
}

bool machine_held(const struct machine *m)
{
    const struct machine_requests *r = &m->requests;
    return r->shutdown || r->reset || r->pause;
}

bool machine_asked(const struct machine *m) { return machine_held(m) || m->requests.powerdown; }
