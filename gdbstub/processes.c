/*
 * Several processes behind one connection ("multiprocess" in Debugging with GDB): the session of one of them has it,
 * and hands on what is for the others. Which packet is for whom is a table; who the others are, and how they are asked,
 * is the owner's (struct gdb_ops).
 */
#include <string.h>

#include "base/bits.h"
#include "gdbstub/gdbstub.h"

/* What the packet's words are about: the thread or process that they name, the general thread's, or all processes. */
enum subject { OF_THREAD, OF_PROCESS, OF_GENERAL, OF_ALL };

static const struct {
    const char *begin;
    enum subject subject;
} packets[] = {
    {"Hg", OF_THREAD},
    {"Hc", OF_THREAD},
    {"T", OF_THREAD},
    {"qThreadExtraInfo,", OF_THREAD},
    {"D;", OF_PROCESS},
    {"vKill;", OF_PROCESS},
    {"g", OF_GENERAL},
    {"G", OF_GENERAL},
    {"m", OF_GENERAL},
    {"M", OF_GENERAL},
    {"p", OF_GENERAL},
    {"P", OF_GENERAL},
    {"X", OF_GENERAL},
    {"z", OF_GENERAL},
    {"Z", OF_GENERAL},
    {"qC", OF_GENERAL},
    {"qXfer:", OF_GENERAL},
    {"QPassSignals:", OF_ALL},
    {"QCatchSyscalls:", OF_ALL},
    {"k", OF_ALL},
};

static bool is_other(const struct gdb_session *s, int64_t process)
{
    for (int64_t other = 0; (other = s->ops->other(s->opaque, other)) != 0;)
        if (other == process)
            return true;
    return false;
}

static void ask_all(struct gdb_session *s, const char *p, size_t n)
{
    struct gdb_text ignored = {0};
    for (int64_t other = 0; (other = s->ops->other(s->opaque, other)) != 0; ignored.n = 0)
        s->ops->ask(s->opaque, other, p, n, &ignored);
    gdb_text_free(&ignored);
}

bool gdb_is_for_other(struct gdb_session *s, const char *p, const char *end)
{
    struct gdb_id id = s->general.process > 0 ? s->general : s->stop.id;
    unsigned row = 0;
    uint64_t process;
    if (!s->ops->other || !s->ops->other(s->opaque, 0))
        return false;
    while (row < ARRAY_SIZE(packets) && strncmp(p, packets[row].begin, strlen(packets[row].begin)) != 0)
        row++;
    if (row == ARRAY_SIZE(packets))
        return false;
    const enum subject subject = packets[row].subject;
    const char *named = p + strlen(packets[row].begin);
    if (subject == OF_ALL) { /* and this one */
        ask_all(s, p, (size_t)(end - p));
        return false;
    }
    if (subject == OF_THREAD && !gdb_read_id(&named, &id))
        return false;
    if (subject == OF_PROCESS)
        id.process = hex_number(&named, &process) ? (int64_t)process : 0;
    if (!is_other(s, id.process))
        return false;
    s->ops->ask(s->opaque, id.process, p, (size_t)(end - p), &s->reply);
    if (subject == OF_PROCESS)
        s->ops->forget(s->opaque, id.process);
    else if (p[0] == 'H')
        *(p[1] == 'g' ? &s->general : &s->resume) = id;
    return true;
}

void gdb_list_others(struct gdb_session *s)
{
    static const char first[] = "qfThreadInfo", more[] = "qsThreadInfo";
    for (const char *what = more;; what = first) {
        if (s->listed_other)
            s->ops->ask(s->opaque, s->listed_other, what, sizeof more - 1, &s->reply);
        if (s->reply.n && s->reply.bytes[0] == 'm')
            return;
        s->reply.n = 0;
        s->listed_other = s->ops->other ? s->ops->other(s->opaque, s->listed_other) : 0;
        if (!s->listed_other)
            break;
    }
    gdb_printf(&s->reply, "l");
}

void gdb_other_stopped(struct gdb_session *s, const char *payload, size_t n)
{
    static const char thread[] = "thread:", process[] = ";process:";
    const char *p = strstr(payload, thread);
    uint64_t number = 0;
    struct gdb_id id = {0, GDB_ALL};
    if (p) {
        p += strlen(thread);
        gdb_read_id(&p, &id);
    } else if ((p = strstr(payload, process)) != NULL) {
        p += strlen(process);
        hex_number(&p, &number);
        id.process = (int64_t)number;
    }
    s->stop.id = s->general = id;
    s->resume = (struct gdb_id){0, 0};
    s->running = false;
    gdb_put(&s->reply, payload, n);
    gdb_send_reply(s);
}
