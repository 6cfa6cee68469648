/* The session: what packets ask for ("Packets" in Debugging with GDB), by tables of their beginnings. See gdbstub.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "gdbstub/gdbstub.h"

enum { MAX_READ = PACKET_MAX / 2 - 16, MAX_CALLS = 256, MAX_ACTIONS = 64, LISTED_AT_ONCE = 256 };

/* --- ids --- */

static bool read_signed(const char **p, int64_t *out)
{
    uint64_t n;
    if (!strncmp(*p, "-1", 2)) {
        *p += 2;
        *out = GDB_ALL;
        return true;
    }
    bool ok = hex_number(p, &n) && n <= INT64_MAX;
    *out = ok ? (int64_t)n : 0;
    return ok;
}

/* "Thread-id syntax". */
bool gdb_read_id(const char **p, struct gdb_id *out)
{
    *out = (struct gdb_id){0, GDB_ALL};
    if (**p != 'p')
        return read_signed(p, &out->thread);
    ++*p;
    if (!read_signed(p, &out->process))
        return false;
    if (**p != '.')
        return true;
    ++*p;
    return read_signed(p, &out->thread);
}

static void put_id(const struct gdb_session *s, struct gdb_text *out, struct gdb_id id)
{
    if (s->processes)
        gdb_printf(out, "p%llx.%llx", (unsigned long long)id.process, (unsigned long long)id.thread);
    else
        gdb_printf(out, "%llx", (unsigned long long)id.thread);
}

static bool covers(struct gdb_id pattern, struct gdb_id id)
{
    return (pattern.process <= 0 || pattern.process == id.process) &&
           (pattern.thread <= 0 || pattern.thread == id.thread);
}

/* A thread that the id means: if it may be any, the one that stopped. False: there is none. */
static bool resolve(const struct gdb_session *s, struct gdb_id pattern, struct gdb_id *out)
{
    if (covers(pattern, s->stop.id) && s->ops->cpu(s->opaque, s->stop.id)) {
        *out = s->stop.id;
        return true;
    }
    if (pattern.process > 0 && pattern.thread > 0) { /* one that is not listed, perhaps: a new child */
        *out = pattern;
        return s->ops->cpu(s->opaque, pattern);
    }
    *out = (struct gdb_id){0, 0};
    while (s->ops->next(s->opaque, out))
        if (covers(pattern, *out))
            return true;
    return false;
}

/* The processor that g, m and the like are about. */
static struct cpu *general_cpu(const struct gdb_session *s, struct gdb_id *id)
{
    return resolve(s, s->general, id) ? s->ops->cpu(s->opaque, *id) : NULL;
}

/* --- answers --- */

static void ok(struct gdb_session *s) { gdb_printf(&s->reply, "OK"); }
static void error(struct gdb_session *s, int number) { gdb_printf(&s->reply, "E%02x", number & 0xff); }
static void ok_if(struct gdb_session *s, bool done, int number)
{
    if (done)
        ok(s);
    else
        error(s, number);
}

static bool is_hardware(const struct gdb_session *s, const struct cpu *cpu)
{
    for (unsigned i = 0; cpu && i < s->nhardware; i++)
        if (s->hardware[i] == cpu->pc)
            return true;
    return false;
}

static void put_stop(struct gdb_session *s)
{
    static const struct {
        const char *word;
        uint8_t knows; /* gdb must have said that it does */
    } words[] = {
        [GDB_BREAKPOINT] = {"swbreak", 0},
        [GDB_WATCH] = {"watch", 0},
        [GDB_READ_WATCH] = {"rwatch", 0},
        [GDB_ACCESS_WATCH] = {"awatch", 0},
        [GDB_FORK] = {"fork", GDB_KNOWS_FORK},
        [GDB_VFORK] = {"vfork", GDB_KNOWS_VFORK},
        [GDB_VFORK_DONE] = {"vforkdone", GDB_KNOWS_VFORK},
        [GDB_EXEC] = {"exec", GDB_KNOWS_EXEC},
        [GDB_SYSCALL] = {"syscall_entry", 0},
        [GDB_SYSCALL_RETURN] = {"syscall_return", 0},
    };
    enum { TRAP = 5 };
    const struct gdb_stop *stop = &s->stop;
    struct gdb_text *out = &s->reply;
    if (stop->kind == GDB_EXITED || stop->kind == GDB_KILLED) {
        bool exited = stop->kind == GDB_EXITED;
        gdb_printf(out, "%c%02x", exited ? 'W' : 'X',
                   exited ? (unsigned)stop->number & 0xff : (unsigned)gdb_signal_from_linux((int)stop->number));
        if (s->processes)
            gdb_printf(out, ";process:%llx", (unsigned long long)stop->id.process);
        return;
    }
    gdb_printf(out, "T%02x", stop->kind == GDB_SIGNAL ? gdb_signal_from_linux((int)stop->number) : TRAP);
    bool point = stop->kind == GDB_BREAKPOINT;
    const char *word = stop->kind < ARRAY_SIZE(words) ? words[stop->kind].word : NULL;
    if (point && is_hardware(s, s->ops->cpu(s->opaque, stop->id)))
        word = "hwbreak";
    if (word && (words[stop->kind].knows & ~s->knows || (point && !s->points_told)))
        word = NULL;
    if (word) {
        gdb_printf(out, "%s:", word);
        if (stop->kind == GDB_FORK || stop->kind == GDB_VFORK)
            put_id(s, out, stop->other);
        else if (stop->kind == GDB_EXEC)
            gdb_hex(out, stop->text, strlen(stop->text));
        else if (!point && stop->kind != GDB_VFORK_DONE)
            gdb_printf(out, "%llx", (unsigned long long)stop->number);
        gdb_printf(out, ";");
    }
    gdb_printf(out, "thread:");
    put_id(s, out, stop->id);
    gdb_printf(out, ";");
}

void gdb_send_reply(struct gdb_session *s)
{
    s->sent.n = 0;
    packet_put(&s->sent, s->reply.bytes, s->reply.n);
    s->reply.n = 0;
    s->send(s->opaque, s->sent.bytes, s->sent.n);
}

/* --- registers --- */

/* g is about the registers that every program has; gdb reads others one by one. */
static void read_registers(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    struct target_reg r;
    char value[TARGET_REG_MAX];
    struct cpu *cpu = general_cpu(s, &id);
    if (!cpu) {
        error(s, ESRCH);
        return;
    }
    for (const struct target_feature *f = cpu->target->features; f->name && !f->rare; f++)
        for (unsigned i = 0; register_row(f, i, &r); i++) {
            register_read(cpu, &r, value);
            gdb_hex(&s->reply, value, r.size);
        }
}

static bool set_register(struct gdb_session *s, struct cpu *cpu, const struct target_reg *r, const char *digits)
{
    char value[TARGET_REG_MAX];
    return hex_bytes(digits, r->size, value) &&
           (s->ops->set_register ? s->ops->set_register(s->opaque, cpu, r, value) : register_write(cpu, r, value));
}

static void write_registers(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    struct target_reg r;
    struct cpu *cpu = general_cpu(s, &id);
    for (const struct target_feature *f = cpu ? cpu->target->features : NULL; f && f->name && !f->rare; f++)
        for (unsigned i = 0; register_row(f, i, &r) && end - p >= 2 * r.size; i++, p += 2 * r.size)
            if (r.offset || r.set)
                set_register(s, cpu, &r, p);
    ok_if(s, cpu, ESRCH);
}

static void read_register(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    struct target_reg r;
    char value[TARGET_REG_MAX];
    uint64_t n;
    struct cpu *cpu = general_cpu(s, &id);
    if (!cpu || !hex_number(&p, &n) || n > UINT32_MAX || !register_by_number(cpu->target, (unsigned)n, &r)) {
        error(s, EINVAL);
        return;
    }
    register_read(cpu, &r, value);
    gdb_hex(&s->reply, value, r.size);
}

static void write_register(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    struct target_reg r;
    uint64_t n;
    struct cpu *cpu = general_cpu(s, &id);
    ok_if(s,
          cpu && hex_number(&p, &n) && *p == '=' && n <= UINT32_MAX &&
              register_by_number(cpu->target, (unsigned)n, &r) && end - p - 1 >= 2 * r.size &&
              set_register(s, cpu, &r, p + 1),
          EINVAL);
}

/* --- memory --- */

/* "addr,length" and then the character. */
static bool read_range(const char **p, uint64_t *address, uint64_t *n, char behind)
{
    if (!hex_number(p, address) || **p != ',')
        return false;
    ++*p;
    if (!hex_number(p, n) || **p != behind)
        return false;
    *p += behind != 0;
    return true;
}

static void read_memory(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    uint64_t address, n;
    if (!general_cpu(s, &id) || !read_range(&p, &address, &n, 0)) {
        error(s, EINVAL);
        return;
    }
    n = n < MAX_READ ? n : MAX_READ;
    char *bytes = malloc(n + 1);
    size_t got = bytes ? s->ops->read(s->opaque, id, address, bytes, n) : 0;
    if (got || !n)
        gdb_hex(&s->reply, bytes, got);
    else
        error(s, EFAULT);
    free(bytes);
}

static void store(struct gdb_session *s, uint64_t address, const void *bytes, size_t n)
{
    struct gdb_id id;
    ok_if(s, general_cpu(s, &id) && (!n || s->ops->write(s->opaque, id, address, bytes, n)), EFAULT);
}

static void write_memory(struct gdb_session *s, const char *p, const char *end)
{
    uint64_t address, n;
    char *bytes = NULL;
    if (!read_range(&p, &address, &n, ':') || n > PACKET_MAX || (uint64_t)(end - p) < 2 * n ||
        !(bytes = malloc(n + 1)) || !hex_bytes(p, n, bytes))
        error(s, EINVAL);
    else
        store(s, address, bytes, n);
    free(bytes);
}

static void write_binary(struct gdb_session *s, const char *p, const char *end)
{
    uint64_t address, n;
    if (!read_range(&p, &address, &n, ':') || (uint64_t)(end - p) < n)
        error(s, EINVAL);
    else
        store(s, address, p, n);
}

/* --- breakpoints --- */

static bool note_hardware(struct gdb_session *s, uint64_t pc, bool add)
{
    unsigned i = 0;
    while (i < s->nhardware && (add || s->hardware[i] != pc))
        i++;
    if (add && i == GDB_HARDWARE)
        return false;
    if (add)
        s->hardware[s->nhardware++] = pc;
    else if (i < s->nhardware)
        s->hardware[i] = s->hardware[--s->nhardware];
    return true;
}

static void change_point(struct gdb_session *s, const char *p, bool add)
{
    struct gdb_id id;
    uint64_t kind, address, n;
    if (!hex_number(&p, &kind) || *p++ != ',' || !hex_number(&p, &address) || *p++ != ',' || !hex_number(&p, &n) ||
        !general_cpu(s, &id)) {
        error(s, EINVAL);
        return;
    }
    if (kind == GDB_POINT_HARDWARE && !note_hardware(s, address, add))
        error(s, ENOMEM);
    else if (kind < GDB_POINTS)
        ok_if(s,
              (kind < GDB_POINT_WRITE || (n && n <= UINT32_MAX)) && s->ops->point(s->opaque, id, kind, address, n, add),
              ENOMEM);
}

static void insert_point(struct gdb_session *s, const char *p, const char *end) { change_point(s, p, true); }
static void remove_point(struct gdb_session *s, const char *p, const char *end) { change_point(s, p, false); }

/* --- threads --- */

static void set_thread(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id, found;
    char what = *p;
    if ((what != 'g' && what != 'c') || !gdb_read_id((p++, &p), &id) || !resolve(s, id, &found)) {
        error(s, EINVAL);
        return;
    }
    *(what == 'g' ? &s->general : &s->resume) = what == 'g' ? found : id;
    ok(s);
}

static void is_alive(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    ok_if(s, gdb_read_id(&p, &id) && s->ops->cpu(s->opaque, id), ESRCH);
}

static void current_thread(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    if (!general_cpu(s, &id))
        return;
    gdb_printf(&s->reply, "QC");
    put_id(s, &s->reply, id);
}

static void more_threads(struct gdb_session *s, const char *p, const char *end)
{
    unsigned n = 0;
    while (n < LISTED_AT_ONCE && s->ops->next(s->opaque, &s->listed)) {
        gdb_printf(&s->reply, n++ ? "," : "m");
        put_id(s, &s->reply, s->listed);
    }
    if (!n)
        gdb_list_others(s);
}

static void first_threads(struct gdb_session *s, const char *p, const char *end)
{
    s->listed = (struct gdb_id){0, 0};
    s->listed_other = 0;
    more_threads(s, p, end);
}

static void thread_name(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id;
    struct gdb_text name = {0};
    if (!gdb_read_id(&p, &id) || !s->ops->cpu(s->opaque, id)) {
        error(s, ESRCH);
        return;
    }
    s->ops->name(s->opaque, id, &name);
    gdb_hex(&s->reply, name.bytes, name.n);
    gdb_text_free(&name);
}

/* --- going on --- */

struct planned {
    struct gdb_id pattern;
    struct gdb_action action;
};

static bool covers_process(const struct planned *rows, unsigned n, int64_t process)
{
    bool found = false;
    for (unsigned i = 0; i < n; i++)
        found |= rows[i].pattern.process <= 0 || rows[i].pattern.process == process;
    return found;
}

/* Every thread does what the first row that covers it says; without one it stays, and a process of which all stay. */
static void resume(struct gdb_session *s, const struct planned *rows, unsigned n)
{
    struct gdb_id id = {0, 0};
    s->then = GDB_THEN_WAIT;
    while (s->ops->next(s->opaque, &id)) {
        if (covers_process(rows, n, id.process))
            s->then = GDB_THEN_GO;
        struct gdb_action action = {.how = GDB_STAY};
        for (unsigned i = n; i--;)
            if (covers(rows[i].pattern, id))
                action = rows[i].action;
        s->ops->act(s->opaque, id, &action);
    }
}

/* "c", "S05", "r400000,400010". */
static bool read_action(const char **p, struct gdb_action *a)
{
    char word = *(*p)++;
    uint64_t signal = 0;
    *a = (struct gdb_action){.how = word == 't'                  ? GDB_STAY
                                    : word == 'r'                ? GDB_RANGE
                                    : word == 's' || word == 'S' ? GDB_STEP
                                                                 : GDB_CONTINUE};
    if (!word || !strchr("cCsStr", word))
        return false;
    if (word == 'r') {
        bool good = hex_number(p, &a->start) && *(*p)++ == ',' && hex_number(p, &a->end);
        return good;
    }
    if ((word == 'C' || word == 'S') && !hex_number(p, &signal))
        return false;
    a->signal = gdb_signal_to_linux((int)(signal & 0xff));
    return true;
}

static void continue_as_planned(struct gdb_session *s, const char *p, const char *end)
{
    struct planned rows[MAX_ACTIONS];
    unsigned n = 0;
    const char *all = s->reader.payload;
    for (; *p == ';' && n < MAX_ACTIONS; n++) {
        p++;
        rows[n].pattern = (struct gdb_id){0, GDB_ALL};
        if (!read_action(&p, &rows[n].action) || (*p == ':' && (p++, !gdb_read_id(&p, &rows[n].pattern)))) {
            error(s, EINVAL);
            return;
        }
    }
    if (*p || !n) {
        error(s, EINVAL);
        return;
    }
    for (int64_t other = 0; s->ops->other && (other = s->ops->other(s->opaque, other)) != 0;)
        if (covers_process(rows, n, other))
            s->ops->pass_on(s->opaque, other, all, (size_t)(end - all));
    resume(s, rows, n);
}

static void list_actions(struct gdb_session *s, const char *p, const char *end)
{
    gdb_printf(&s->reply, "vCont;c;C;s;S;t;r");
}

/* The older c, C, s and S: one thread steps or gets the signal, the others continue. */
static void resume_one(struct gdb_session *s, char word, const char *p)
{
    struct planned rows[2] = {{.action.how = word == 's' || word == 'S' ? GDB_STEP : GDB_CONTINUE},
                              {.pattern = {0, GDB_ALL}, .action.how = GDB_CONTINUE}};
    uint64_t signal, pc;
    if (!resolve(s, s->resume, &rows[0].pattern)) {
        error(s, ESRCH);
        return;
    }
    if (word == 'C' || word == 'S') {
        if (!hex_number(&p, &signal)) {
            error(s, EINVAL);
            return;
        }
        rows[0].action.signal = gdb_signal_to_linux((int)(signal & 0xff));
        p += *p == ';';
    }
    if (hex_number(&p, &pc))
        s->ops->cpu(s->opaque, rows[0].pattern)->pc = pc;
    resume(s, rows, 2);
}

static void continue_one(struct gdb_session *s, const char *p, const char *end) { resume_one(s, p[-1], p); }

/* --- beginning and end --- */

static void why_stopped(struct gdb_session *s, const char *p, const char *end) { put_stop(s); }

static void detach(struct gdb_session *s, const char *p, const char *end)
{
    int64_t process = s->stop.id.process;
    if (*p == ';') {
        p++;
        if (!read_signed(&p, &process)) {
            error(s, EINVAL);
            return;
        }
    }
    ok(s);
    s->then = GDB_THEN_DETACH;
    s->then_process = process;
}

static void kill_it(struct gdb_session *s, const char *p, const char *end)
{
    s->then = GDB_THEN_KILL;
    s->then_process = 0;
}

static void kill_by_id(struct gdb_session *s, const char *p, const char *end)
{
    if (!read_signed(&p, &s->then_process)) {
        error(s, EINVAL);
        return;
    }
    ok(s);
    s->then = GDB_THEN_KILL;
}

static void refuse(struct gdb_session *s, const char *p, const char *end) { error(s, EPERM); }

/* Is the word among those that ';' separates? */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ';')) {
        p += *p == ';';
        if (!strncmp(p, word, n) && (!p[n] || p[n] == ';'))
            return true;
    }
    return false;
}

static void supported(struct gdb_session *s, const char *p, const char *end)
{
    static const struct {
        const char *word;
        uint32_t knows;
    } events[] = {{"fork-events+", GDB_KNOWS_FORK},
                  {"vfork-events+", GDB_KNOWS_VFORK},
                  {"exec-events+", GDB_KNOWS_EXEC}};
    p += *p == ':';
    s->processes = has_word(p, "multiprocess+");
    s->points_told = has_word(p, "swbreak+");
    s->knows = 0;
    gdb_printf(&s->reply,
               "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;vContSupported+;multiprocess+;swbreak+;hwbreak+",
               PACKET_MAX);
    if (s->ops->object)
        gdb_printf(&s->reply, ";qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+");
    if (!s->ops->pass)
        return;
    gdb_printf(&s->reply, ";QPassSignals+;QCatchSyscalls+");
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
        if (has_word(p, events[i].word)) {
            s->knows |= s->processes ? events[i].knows : 0;
            gdb_printf(&s->reply, ";%s", events[i].word);
        }
}

static void no_acknowledgements(struct gdb_session *s, const char *p, const char *end)
{
    ok(s);
    s->then = GDB_THEN_QUIET;
}

static void was_attached(struct gdb_session *s, const char *p, const char *end)
{
    gdb_printf(&s->reply, "%d", s->ops->attached);
}

/* --- objects --- */

static void put_part(struct gdb_session *s, const struct gdb_text *object, uint64_t offset, uint64_t n)
{
    uint64_t left = offset < object->n ? object->n - offset : 0;
    n = n < MAX_READ ? n : MAX_READ;
    gdb_printf(&s->reply, left > n ? "m" : "l");
    gdb_put(&s->reply, object->bytes + (left ? offset : 0), left > n ? n : left);
}

/* "OBJECT:read:ANNEX:OFFSET,LENGTH" */
static void transfer(struct gdb_session *s, const char *p, const char *end)
{
    char object[32], annex[64];
    uint64_t offset, n;
    int used = 0;
    struct gdb_id id;
    struct gdb_text text = {0};
    struct cpu *cpu = general_cpu(s, &id);
    size_t length = strcspn(p, ":");
    if (length >= sizeof object || strncmp(p + length, ":read:", 6))
        return;
    snprintf(object, sizeof object, "%.*s", (int)length, p);
    p += length + 6;
    length = strcspn(p, ":");
    used = snprintf(annex, sizeof annex, "%.*s", length < sizeof annex ? (int)length : 0, p);
    p += length;
    if (*p++ != ':' || used < 0 || !read_range(&p, &offset, &n, 0) || !cpu) {
        error(s, EINVAL);
        return;
    }
    bool found = false;
    if (!strcmp(object, "features")) {
        found = !strcmp(annex, "target.xml");
        if (found)
            gdb_describe(cpu->target, s->ops->os, &text);
    } else if (s->ops->object) {
        found = s->ops->object(s->opaque, object, id, &text);
    } else {
        return;
    }
    if (found && !text.bad)
        put_part(s, &text, offset, n);
    else
        error(s, 0);
    gdb_text_free(&text);
}

static void monitor(struct gdb_session *s, const char *p, const char *end)
{
    size_t n = (size_t)(end - p) / 2;
    char *line = malloc(n + 1);
    struct gdb_text answer = {0};
    if (!line || !hex_bytes(p, n, line)) {
        error(s, EINVAL);
    } else {
        line[n] = 0;
        s->ops->monitor(s->opaque, line, &answer);
        if (answer.n) {
            gdb_hex(&s->reply, answer.bytes, answer.n);
        } else {
            ok(s);
        }
    }
    gdb_text_free(&answer);
    free(line);
}

static void is_physical(struct gdb_session *s, const char *p, const char *end)
{
    if (s->ops->physical)
        gdb_printf(&s->reply, "%d", *s->ops->physical(s->opaque));
}

static void set_physical(struct gdb_session *s, const char *p, const char *end)
{
    if (!s->ops->physical)
        return;
    ok_if(s, (*p == '0' || *p == '1') && !p[1], EINVAL);
    if (*p == '0' || *p == '1')
        *s->ops->physical(s->opaque) = *p == '1';
}

/* --- signals and calls to be told --- */

static void pass_signals(struct gdb_session *s, const char *p, const char *end)
{
    uint64_t set = 0, n;
    if (!s->ops->pass)
        return;
    for (; hex_number(&p, &n); p += *p == ';') {
        int signo = n <= 0xff ? gdb_signal_to_linux((int)n) : 0;
        if (signo)
            set |= UINT64_C(1) << (signo - 1);
    }
    s->ops->pass(s->opaque, set);
    ok(s);
}

static void catch_calls(struct gdb_session *s, const char *p, const char *end)
{
    uint64_t calls[MAX_CALLS], on;
    int n = 0;
    if (!s->ops->catch)
        return;
    if (!hex_number(&p, &on) || on > 1) {
        error(s, EINVAL);
        return;
    }
    while (*p == ';' && n < MAX_CALLS) {
        p++;
        if (!hex_number(&p, &calls[n++])) {
            error(s, EINVAL);
            return;
        }
    }
    s->ops->catch (s->opaque, calls, on ? n : -1);
    ok(s);
}

/* --- the table --- */

static const struct {
    const char *begin;
    void (*run)(struct gdb_session *s, const char *p, const char *end);
} packets[] = {
    {"?", why_stopped},
    {"c", continue_one},
    {"C", continue_one},
    {"D", detach},
    {"g", read_registers},
    {"G", write_registers},
    {"H", set_thread},
    {"k", kill_it},
    {"m", read_memory},
    {"M", write_memory},
    {"p", read_register},
    {"P", write_register},
    {"s", continue_one},
    {"S", continue_one},
    {"T", is_alive},
    {"X", write_binary},
    {"z", remove_point},
    {"Z", insert_point},
    {"qAttached", was_attached},
    {"qC", current_thread},
    {"qfThreadInfo", first_threads},
    {"qsThreadInfo", more_threads},
    {"qThreadExtraInfo,", thread_name},
    {"qSupported", supported},
    {"qXfer:", transfer},
    {"qRcmd,", monitor},
    {"qqemu.PhyMemMode", is_physical},
    {"Qqemu.PhyMemMode:", set_physical},
    {"QStartNoAckMode", no_acknowledgements},
    {"QPassSignals:", pass_signals},
    {"QCatchSyscalls:", catch_calls},
    {"vCont?", list_actions},
    {"vCont", continue_as_planned},
    {"vFile:", gdb_file},
    {"vKill;", kill_by_id},
    {"vAttach;", refuse},
};

/* Those with a longer beginning come first among those that fit. */
static void handle(struct gdb_session *s, const char *p, const char *end)
{
    size_t best = 0;
    unsigned row = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
        const char *begin = packets[i].begin;
        size_t n = strlen(begin);
        if (n <= best || strncmp(p, begin, n))
            continue;
        bool goes_on = begin[n - 1] == ':' || begin[n - 1] == ','; /* else a query's name is all of the word */
        if (begin[0] != 'q' || goes_on || !p[n] || p[n] == ':' || p[n] == ',') {
            best = n;
            row = i;
        }
    }
    if (best)
        packets[row].run(s, p + best, end);
}

static void finish(struct gdb_session *s)
{
    int then = (int)s->then;
    s->then = GDB_THEN_NOTHING;
    if (then != GDB_THEN_GO && then != GDB_THEN_WAIT && (then != GDB_THEN_KILL || s->reply.n))
        gdb_send_reply(s);
    switch (then) {
    case GDB_THEN_QUIET: s->no_ack = true; break;
    case GDB_THEN_WAIT: s->running = true; break;
    case GDB_THEN_GO:
        s->running = true;
        s->ops->go(s->opaque);
        break;
    case GDB_THEN_KILL:
        s->ended = true;
        s->ops->kill(s->opaque, s->then_process);
        break;
    case GDB_THEN_DETACH: s->ops->detach(s->opaque, s->then_process); break;
    }
}

static void complete(struct gdb_session *s)
{
    if (!s->no_ack)
        s->send(s->opaque, "+", 1);
    if (s->running) { /* gdb waits for what we have to say */
        s->reply.n = 0;
        return;
    }
    const char *payload = s->reader.payload, *end = payload + s->reader.n;
    if (!gdb_is_for_other(s, payload, end))
        handle(s, payload, end);
    if (s->reply.bad) {
        gdb_text_free(&s->reply);
        error(s, ENOMEM);
    }
    finish(s);
}

void gdb_receive(struct gdb_session *s, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n && !s->ended; i++)
        switch (packet_take(&s->reader, p[i])) {
        case PACKET_COMPLETE: complete(s); break;
        case PACKET_BROKEN:
            if (!s->no_ack)
                s->send(s->opaque, "-", 1);
            break;
        case PACKET_NAK:
            if (!s->no_ack && s->sent.n)
                s->send(s->opaque, s->sent.bytes, s->sent.n);
            break;
        case PACKET_INTERRUPT:
            if (s->running)
                s->ops->interrupt(s->opaque);
            break;
        case PACKET_ACK:
        case PACKET_NOTHING: break;
        }
}

void gdb_stopped(struct gdb_session *s, const struct gdb_stop *stop)
{
    if (s->ended)
        return;
    s->stop = *stop;
    s->general = stop->id;
    s->resume = (struct gdb_id){0, 0};
    s->ended = stop->kind == GDB_EXITED || stop->kind == GDB_KILLED;
    if (!s->running)
        return;
    s->running = false;
    put_stop(s);
    gdb_send_reply(s);
}

void gdb_init(struct gdb_session *s, const struct gdb_ops *ops, void *opaque,
              void (*send)(void *o, const void *bytes, size_t n), const struct gdb_stop *stop)
{
    memset(s, 0, sizeof *s);
    s->ops = ops;
    s->opaque = opaque;
    s->send = send;
    s->stop = *stop;
    s->general = stop->id;
}

void gdb_free(struct gdb_session *s)
{
    gdb_close_files(s);
    gdb_text_free(&s->reply);
    gdb_text_free(&s->sent);
}
