/* What gdb sees of a machine (struct gdb_ops): see debugger.h. */
#define _GNU_SOURCE
#include "system/debugger.h"

#include <signal.h>
#include <string.h>

#include "exec/debug.h"

enum { PROCESS = 1 }; /* gdb's name of the machine; threads are 1 + a processor's number */

static struct processor *processor_by_id(const struct debugger *d, struct gdb_id id)
{
    bool is = (id.process <= 0 || id.process == PROCESS) && id.thread >= 1 && id.thread <= d->machine->nprocessors;
    return is ? d->machine->processor[id.thread - 1] : NULL;
}

static bool next(void *o, struct gdb_id *id)
{
    const struct debugger *d = o;
    if (id->thread >= d->machine->nprocessors)
        return false;
    *id = (struct gdb_id){PROCESS, id->thread + 1};
    return true;
}

static struct cpu *cpu_of(void *o, struct gdb_id id)
{
    const struct processor *p = processor_by_id(o, id);
    return p ? p->cpu : NULL;
}

static void name(void *o, struct gdb_id id, struct gdb_text *out)
{
    const struct processor *p = processor_by_id(o, id);
    gdb_printf(out, "CPU#%u [%s]", p->index, p->halted ? "halted" : "running");
}

/* Registers with functions of their own may reach devices, which take the lock themselves. */
static bool set_register(void *o, struct cpu *cpu, const struct target_reg *r, const void *value)
{
    const struct debugger *d = o;
    if (r->offset)
        return register_write(cpu, r, value);
    machine_unlock(d->machine);
    bool done = register_write(cpu, r, value);
    machine_lock(d->machine);
    return done;
}

/* --- memory, by pages --- */

/* Bytes from the address on that lie together, at most n, and where; 0: nothing is there. */
static size_t piece(const struct debugger *d, struct gdb_id id, uint64_t address, size_t n, uint64_t *physical)
{
    struct processor *p = processor_by_id(d, id);
    size_t page = UINT64_C(1) << MEM_PAGE_SHIFT, left = page - (address & (page - 1));
    *physical = address;
    return d->physical || processor_translate(p, address, physical) ? n < left ? n : left : 0;
}

static size_t read_memory(void *o, struct gdb_id id, uint64_t address, void *to, size_t n)
{
    const struct debugger *d = o;
    size_t done = 0, now;
    uint64_t at;
    while (done < n && (now = piece(d, id, address + done, n - done, &at)) &&
           mem_read(&d->machine->memory, at, (char *)to + done, now) == MEM_OK)
        done += now;
    return done;
}

static bool write_memory(void *o, struct gdb_id id, uint64_t address, const void *from, size_t n)
{
    const struct debugger *d = o;
    size_t done = 0, now;
    uint64_t at;
    while (done < n && (now = piece(d, id, address + done, n - done, &at)) &&
           mem_write(&d->machine->memory, at, (const char *)from + done, now) == MEM_OK)
        done += now;
    return done == n;
}

static void flush_tlbs(const struct debugger *d)
{
    for (unsigned i = 0; i < d->machine->nprocessors; i++)
        tlb_flush_later(d->machine->processor[i]);
}

static bool change_point(void *o, struct gdb_id id, enum gdb_point kind, uint64_t address, uint64_t n, bool add)
{
    static const uint8_t access[] = {
        [GDB_POINT_WRITE] = DEBUG_STORE, [GDB_POINT_READ] = DEBUG_LOAD, [GDB_POINT_ACCESS] = DEBUG_ACCESS};
    const struct debugger *d = o;
    if (kind < GDB_POINT_WRITE)
        return exec_breakpoint(d->machine->exec, address, add);
    bool done = exec_watchpoint(d->machine->exec, address, n, access[kind], add);
    flush_tlbs(d);
    return done;
}

/* --- running --- */

static void act(void *o, struct gdb_id id, const struct gdb_action *a)
{
    struct processor *p = processor_by_id(o, id);
    p->debug.how = a->how == GDB_STAY ? PROCESSOR_STAYS : a->how == GDB_CONTINUE ? PROCESSOR_RUNS : PROCESSOR_STEPS;
    p->debug.start = a->how == GDB_RANGE ? a->start : 0;
    p->debug.end = a->how == GDB_RANGE ? a->end : 0;
}

static void tell_stop(struct debugger *d, int signo)
{
    const struct gdb_stop stop = {.kind = GDB_SIGNAL, .id = d->session.stop.id, .number = (uint64_t)signo};
    gdb_stopped(&d->session, &stop);
}

static void go(void *o)
{
    struct debugger *d = o;
    for (unsigned i = 0; i < d->machine->nprocessors; i++)
        d->machine->processor[i]->debug.stopped = NOT_STOPPED;
    if (!machine_resume(d->machine)) /* powered off, and kept */
        tell_stop(d, SIGTRAP);
}

static void interrupt(void *o) { machine_pause(((struct debugger *)o)->machine, RUN_STATE_DEBUG); }

/* Nobody debugs any more; what stands still for the debugger runs. */
static void release(struct debugger *d)
{
    struct machine *m = d->machine;
    bool runs = m->running;
    if (runs)
        machine_stop(m);
    exec_forget_debug(m->exec);
    flush_tlbs(d);
    for (unsigned i = 0; i < m->nprocessors; i++)
        m->processor[i]->debug.how = PROCESSOR_RUNS;
    if (runs)
        machine_run(m);
    else if (m->state == RUN_STATE_DEBUG || d->session.ended)
        machine_resume(m);
}

static void detach(void *o, int64_t process)
{
    struct debugger *d = o;
    d->session.ended = true;
    release(d);
}

static void kill_machine(void *o, int64_t process)
{
    machine_ask_shutdown(((struct debugger *)o)->machine, CAUSE_HOST_UI, 0);
}

static bool *physical(void *o) { return &((struct debugger *)o)->physical; }

static void monitor(void *o, const char *line, struct gdb_text *out)
{
    GString *text = g_string_new(NULL);
    monitor_human_command(((struct debugger *)o)->monitor, line, text);
    gdb_put(out, text->str, text->len);
    g_string_free(text, TRUE);
}

static const struct gdb_ops ops = {
    .attached = true,
    .next = next,
    .cpu = cpu_of,
    .name = name,
    .set_register = set_register,
    .read = read_memory,
    .write = write_memory,
    .point = change_point,
    .act = act,
    .go = go,
    .interrupt = interrupt,
    .detach = detach,
    .kill = kill_machine,
    .physical = physical,
    .monitor = monitor,
};

/* --- what the machine does --- */

/* Why it stopped: what a processor says, else somebody wanted it. */
static void stopped(struct debugger *d)
{
    static const enum gdb_stop_kind kinds[] = {[DEBUG_BREAKPOINT] = GDB_BREAKPOINT,
                                               [DEBUG_LOAD] = GDB_READ_WATCH,
                                               [DEBUG_STORE] = GDB_WATCH,
                                               [DEBUG_ACCESS] = GDB_ACCESS_WATCH};
    for (unsigned i = 0; i < d->machine->nprocessors; i++) {
        const struct processor *p = d->machine->processor[i];
        struct gdb_stop stop = {.kind = GDB_SIGNAL, .id = {PROCESS, i + 1}, .number = SIGTRAP};
        if (p->debug.stopped == NOT_STOPPED)
            continue;
        if (p->debug.stopped == STOPPED_BY_POINT) {
            stop.kind = kinds[p->debug.watched & DEBUG_ACCESS];
            stop.number = p->debug.address;
        }
        gdb_stopped(&d->session, &stop);
        return;
    }
    tell_stop(d, SIGINT);
}

static void machine_event(void *opaque, const struct machine_event *e)
{
    struct debugger *d = opaque;
    if (!d->connected || d->session.ended)
        return;
    if (e->kind == MACHINE_STOPPED)
        stopped(d);
    if (e->kind == MACHINE_RESUMED && !d->session.running) /* by somebody else, who wants all of it to run */
        for (unsigned i = 0; i < d->machine->nprocessors; i++)
            d->machine->processor[i]->debug.how = PROCESSOR_RUNS;
    if (e->kind == MACHINE_SHUTDOWN && !d->monitor->loop->no_shutdown) {
        const struct gdb_stop end = {.kind = GDB_EXITED,
                                     .id = {PROCESS, 1},
                                     .number = (uint64_t)d->machine->requests.exit_code};
        gdb_stopped(&d->session, &end);
    }
}

/* --- the connection --- */

static void flush(struct debugger *d)
{
    size_t n;
    while (d->out->len && (n = d->chardev->write(d->chardev, (const uint8_t *)d->out->str, d->out->len)))
        g_string_erase(d->out, 0, (gssize)n);
}

static void send_bytes(void *o, const void *bytes, size_t n)
{
    struct debugger *d = o;
    g_string_append_len(d->out, bytes, (gssize)n);
    flush(d);
}

static size_t room(void *opaque)
{
    enum { MUCH_WAITING = 1 << 20 };
    const struct debugger *d = opaque;
    return d->out->len < MUCH_WAITING ? 4096 : 0;
}

static void begin(struct debugger *d)
{
    const struct gdb_stop stop = {.kind = GDB_SIGNAL, .id = {PROCESS, 1}, .number = SIGTRAP};
    if (d->connected)
        return;
    d->connected = true;
    d->physical = false;
    g_string_truncate(d->out, 0);
    if (d->machine->running)
        machine_pause(d->machine, RUN_STATE_DEBUG);
    gdb_init(&d->session, &ops, d, send_bytes, &stop);
}

static void end(struct debugger *d)
{
    if (!d->connected)
        return;
    d->connected = false;
    if (!d->session.ended)
        release(d);
    gdb_free(&d->session);
}

static void receive(void *opaque, const uint8_t *bytes, size_t n)
{
    struct debugger *d = opaque;
    begin(d); /* devices that are always connected say nothing of it */
    if (d->machine->running && !d->session.running && !d->session.ended) /* somebody else has resumed it */
        machine_pause(d->machine, RUN_STATE_DEBUG);
    gdb_receive(&d->session, bytes, n);
}

static void writable(void *opaque)
{
    struct debugger *d = opaque;
    flush(d);
    if (d->chardev->resume)
        d->chardev->resume(d->chardev);
}

static void connection(void *opaque, enum chardev_event event)
{
    if (event == CHARDEV_OPENED)
        begin(opaque);
    if (event == CHARDEV_CLOSED)
        end(opaque);
}

void debugger_open(struct debugger *d, struct monitor *m, struct chardev *c)
{
    d->monitor = m;
    d->machine = &m->board->machine;
    d->chardev = c;
    d->out = g_string_new(NULL);
    d->listener = (struct machine_listener){machine_event, d, NULL};
    machine_listen(d->machine, &d->listener);
    chardev_connect(c, &(struct chardev_front){room, receive, writable, connection, d});
}

void debugger_close(struct debugger *d)
{
    if (!d->machine)
        return;
    machine_unlisten(d->machine, &d->listener);
    chardev_connect(d->chardev, &(struct chardev_front){0});
    if (d->connected)
        gdb_free(&d->session);
    g_string_free(d->out, TRUE);
}
