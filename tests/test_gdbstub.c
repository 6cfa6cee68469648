/* The gdb remote protocol's packets and sessions, with a target of bytes and two threads. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "gdbstub/gdbstub.h"

/* --- what is debugged: two threads, 256 bytes at 0x1000 --- */

enum { MEMORY = 0x1000, SIZE = 256 };

struct toy_cpu {
    struct cpu cpu;
    uint64_t a;
    uint32_t b;
    uint8_t wide[16];
};

static uint64_t get_b(struct cpu *cpu, unsigned n) { return ((struct toy_cpu *)cpu)->b + n; }
static void set_b(struct cpu *cpu, unsigned n, uint64_t v) { ((struct toy_cpu *)cpu)->b = (uint32_t)v - n; }

static const struct target_reg regs[] = {
    {"a", 8, offsetof(struct toy_cpu, a)},
    {"b", 4, 0, NULL, get_b, set_b, 1},
    {"pc", 8, offsetof(struct cpu, pc), "code_ptr"},
    {"wide", 16, offsetof(struct toy_cpu, wide), "uint128"},
};

static bool row(unsigned i, struct target_reg *out)
{
    *out = (struct target_reg){.size = 8, .get = get_b, .number = i};
    snprintf(out->name, sizeof out->name, "r%u", i);
    return i < 2;
}

static const struct target_feature features[] = {
    {.name = "toy.core", .regs = regs, .nregs = ARRAY_SIZE(regs)}, {.name = "toy.more", .row = row, .rare = true}, {0}};
static const struct target toy = {.name = "toy", .gdb_architecture = "toy:64", .features = features};

struct world {
    struct toy_cpu cpu[2];
    uint8_t memory[SIZE];
    struct gdb_action action[2];
    unsigned points, went, interrupted, detached, killed, passed_on;
    int64_t others, forgotten; /* processes 8 and up */
    char asked[64];            /* what another process was asked last */
    uint64_t passed, calls;
    int ncalls;
    struct gdb_text out;
    struct gdb_session session;
};

static bool next(void *o, struct gdb_id *id)
{
    if (id->thread >= 2)
        return false;
    *id = (struct gdb_id){7, id->thread + 1};
    return true;
}

static struct cpu *cpu_of(void *o, struct gdb_id id)
{
    struct world *w = o;
    return (id.process <= 0 || id.process == 7) && id.thread >= 1 && id.thread <= 2 ? &w->cpu[id.thread - 1].cpu : NULL;
}

static void name(void *o, struct gdb_id id, struct gdb_text *out) { gdb_printf(out, "thread %d", (int)id.thread); }

static size_t read_bytes(void *o, struct gdb_id id, uint64_t at, void *to, size_t n)
{
    struct world *w = o;
    if (at - MEMORY >= SIZE)
        return 0;
    n = n < SIZE - (at - MEMORY) ? n : SIZE - (at - MEMORY);
    memcpy(to, w->memory + (at - MEMORY), n);
    return n;
}

static bool write_bytes(void *o, struct gdb_id id, uint64_t at, const void *from, size_t n)
{
    struct world *w = o;
    if (at - MEMORY >= SIZE || n > SIZE - (at - MEMORY))
        return false;
    memcpy(w->memory + (at - MEMORY), from, n);
    return true;
}

static bool point(void *o, struct gdb_id id, enum gdb_point kind, uint64_t at, uint64_t n, bool add)
{
    struct world *w = o;
    w->points += add ? 1 : -1u;
    return at != 0xbad;
}

static void act(void *o, struct gdb_id id, const struct gdb_action *a) { ((struct world *)o)->action[id.thread - 1] = *a; }
static void go(void *o) { ((struct world *)o)->went++; }
static void interrupt(void *o) { ((struct world *)o)->interrupted++; }
static void detach(void *o, int64_t process) { ((struct world *)o)->detached++; }
static void kill_it(void *o, int64_t process) { ((struct world *)o)->killed++; }

static bool object(void *o, const char *what, struct gdb_id id, struct gdb_text *out)
{
    gdb_put(out, "a#b*c}d$", 8);
    return !strcmp(what, "auxv");
}

static void monitor(void *o, const char *line, struct gdb_text *out) { gdb_printf(out, "<%s>", line); }
static const char *path(void *o, const char *file, char *buffer) { return file; }
static void pass(void *o, uint64_t signals) { ((struct world *)o)->passed = signals; }

static void catch_calls(void *o, const uint64_t *calls, int n)
{
    struct world *w = o;
    w->ncalls = n;
    w->calls = 0;
    for (int i = 0; i < n; i++)
        w->calls += calls[i];
}

/* --- other processes, which answer every question with their number and it --- */

static int64_t other(void *o, int64_t process)
{
    const int64_t next = process ? process + 1 : 8;
    return next < 8 + ((struct world *)o)->others ? next : 0;
}

static void ask_other(void *o, int64_t process, const void *payload, size_t n, struct gdb_text *out)
{
    struct world *w = o;
    snprintf(w->asked, sizeof w->asked, "%d:%.*s", (int)process, (int)n, (const char *)payload);
    if (!memcmp(payload, "qf", 2))
        gdb_printf(out, "mp%x.1", (int)process);
    else if (!memcmp(payload, "qs", 2))
        gdb_printf(out, "l");
    else
        gdb_put(out, w->asked, strlen(w->asked));
}

static void pass_on(void *o, int64_t process, const void *payload, size_t n) { ((struct world *)o)->passed_on |= 1u << process; }
static void forget(void *o, int64_t process) { ((struct world *)o)->forgotten = process; }

static const struct gdb_ops ops = {
    .os = "GNU/Linux", .next = next, .cpu = cpu_of, .name = name, .read = read_bytes, .write = write_bytes, .point = point, .act = act,
    .go = go, .interrupt = interrupt, .detach = detach, .kill = kill_it, .object = object, .monitor = monitor, .path = path, .pass = pass,
    .catch = catch_calls, .other = other, .ask = ask_other, .pass_on = pass_on, .forget = forget,
};

static void send_bytes(void *o, const void *bytes, size_t n) { gdb_put(&((struct world *)o)->out, bytes, n); }

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    const struct gdb_stop stop = {.kind = GDB_SIGNAL, .id = {7, 1}, .number = 5};
    for (unsigned i = 0; i < 2; i++) {
        w->cpu[i].cpu.target = &toy;
        w->cpu[i].cpu.pc = 0x400000 + i;
        w->cpu[i].a = 0x1122334455667788 + i;
    }
    for (unsigned i = 0; i < SIZE; i++)
        w->memory[i] = (uint8_t)i;
    gdb_init(&w->session, &ops, w, send_bytes, &stop);
    return w;
}

static void world_free(struct world *w)
{
    gdb_free(&w->session);
    gdb_text_free(&w->out);
    free(w);
}

/*
 * What a payload is answered with, as a payload; NULL: no packet. Checked is that it is one packet with the right sum.
 */
static const char *ask_bytes(struct world *w, const void *payload, size_t n)
{
    static struct packet_reader reader;
    struct gdb_text packet = {0};
    const char *answer = NULL;
    packet_put(&packet, payload, n);
    w->out.n = 0;
    gdb_receive(&w->session, packet.bytes, packet.n);
    gdb_text_free(&packet);
    memset(&reader, 0, sizeof reader);
    for (size_t i = 0; i < w->out.n; i++)
        if (packet_take(&reader, (uint8_t)w->out.bytes[i]) == PACKET_COMPLETE) {
            cr_assert_null(answer);
            answer = reader.payload;
        }
    return answer;
}

static const char *ask(struct world *w, const char *payload) { return ask_bytes(w, payload, strlen(payload)); }

#define ANSWER(w, payload, expected) cr_assert_str_eq(ask(w, payload), expected, "%s: %s", payload, ask(w, payload))

/* --- packets --- */

Test(packet, sums_and_escapes)
{
    static struct packet_reader r;
    static const char wire[] = "+$m1000,4#8e$qC#b4$x}\x03y#72\x03-$bad#00$cut$g#67";
    static const enum packet_event expected[] = {PACKET_ACK, PACKET_COMPLETE, PACKET_COMPLETE, PACKET_BROKEN, PACKET_INTERRUPT,
                                                PACKET_NAK, PACKET_BROKEN,   PACKET_COMPLETE};
    unsigned n = 0;
    for (size_t i = 0; i < sizeof wire - 1; i++) {
        enum packet_event e = packet_take(&r, (uint8_t)wire[i]);
        if (e == PACKET_NOTHING)
            continue;
        cr_assert(n < ARRAY_SIZE(expected));
        cr_expect_eq(e, expected[n], "event %u: %d", n, e);
        n++;
    }
    cr_assert_eq(n, ARRAY_SIZE(expected));
    cr_assert_str_eq(r.payload, "g");
}

Test(packet, all_bytes_survive)
{
    static struct packet_reader r;
    struct gdb_text packet = {0};
    uint8_t bytes[256];
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    packet_put(&packet, bytes, sizeof bytes);
    for (size_t i = 0; i < packet.n; i++) {
        cr_assert(i + 1 == packet.n || packet_take(&r, (uint8_t)packet.bytes[i]) == PACKET_NOTHING);
        cr_assert(packet.bytes[i] != '*');
    }
    cr_assert_eq(packet_take(&r, (uint8_t)packet.bytes[packet.n - 1]), PACKET_COMPLETE);
    cr_assert_eq(r.n, sizeof bytes);
    cr_assert_arr_eq(r.payload, bytes, sizeof bytes);
    gdb_text_free(&packet);
}

Test(packet, too_long)
{
    static struct packet_reader r;
    uint8_t sum = 0;
    char end[4];
    packet_take(&r, '$');
    for (size_t i = 0; i < PACKET_MAX + 100; i++, sum += 'a')
        cr_assert_eq(packet_take(&r, 'a'), PACKET_NOTHING);
    snprintf(end, sizeof end, "#%02x", sum);
    packet_take(&r, '#');
    packet_take(&r, (uint8_t)end[1]);
    cr_assert_eq(packet_take(&r, (uint8_t)end[2]), PACKET_BROKEN);
}

/* --- sessions --- */

Test(session, registers)
{
    struct world *w = world_new();
    ANSWER(w, "g", "8877665544332211" "01000000" "0000400000000000" "00000000000000000000000000000000");
    ANSWER(w, "p1", "01000000");
    ANSWER(w, "p5", "0100000000000000");
    ANSWER(w, "p6", "E16");
    ANSWER(w, "P1=0a000000", "OK");
    cr_assert_eq(w->cpu[0].b, 9);
    ANSWER(w, "P5=0a00000000000000", "E16"); /* it can't be written */
    ANSWER(w, "P0=00", "E16");
    ANSWER(w, "Hg2", "OK");
    ANSWER(w, "p2", "0100400000000000");
    ANSWER(w, "G" "0100000000000000" "02000000" "0300000000000000", "OK");
    cr_assert(w->cpu[1].a == 1 && w->cpu[1].b == 1 && w->cpu[1].cpu.pc == 3);
    ANSWER(w, "Hg3", "E16");
    world_free(w);
}

Test(session, memory)
{
    struct world *w = world_new();
    ANSWER(w, "m1004,4", "04050607");
    ANSWER(w, "m10fe,10", "feff");
    ANSWER(w, "m2000,4", "E0e");
    ANSWER(w, "m,4", "E16");
    ANSWER(w, "M1000,2:abcd", "OK");
    ANSWER(w, "M1000,2:ab", "E16");
    ANSWER(w, "M10ff,2:abcd", "E0e");
    static const char binary[] = "X1002,3:}#$";
    cr_assert_str_eq(ask_bytes(w, binary, sizeof binary - 1), "OK");
    ANSWER(w, "X1000,0:", "OK");
    ANSWER(w, "m1000,6", "abcd7d232405");
    world_free(w);
}

Test(session, threads_and_resuming)
{
    struct world *w = world_new();
    const struct gdb_stop stop = {.kind = GDB_WATCH, .id = {7, 2}, .number = 0x1234};
    cr_assert_not_null(strstr(ask(w, "qSupported:multiprocess+;swbreak+;fork-events+"), "fork-events+"));
    ANSWER(w, "?", "T05thread:p7.1;");
    ANSWER(w, "qC", "QCp7.1");
    ANSWER(w, "qfThreadInfo", "mp7.1,p7.2");
    ANSWER(w, "qsThreadInfo", "l");
    ANSWER(w, "qThreadExtraInfo,p7.2", "7468726561642032");
    ANSWER(w, "Tp7.2", "OK");
    ANSWER(w, "Tp7.3", "E03");
    ANSWER(w, "vCont?", "vCont;c;C;s;S;t;r");
    ANSWER(w, "vCont;x", "E16");
    cr_assert_null(ask(w, "vCont;r400000,400010:p7.2;C0b:p7.1;c"));
    cr_assert_eq(w->went, 1);
    cr_assert(w->action[0].how == GDB_CONTINUE && w->action[0].signal == 11);
    cr_assert(w->action[1].how == GDB_RANGE && w->action[1].end == 0x400010);
    w->out.n = 0;
    gdb_receive(&w->session, "\3", 1);
    cr_assert_eq(w->interrupted, 1);
    gdb_stopped(&w->session, &stop);
    gdb_put(&w->out, "", 1);
    cr_assert_str_eq(w->out.bytes, "$T05watch:1234;thread:p7.2;#03");
    cr_assert_null(ask(w, "s"));
    cr_assert(w->action[1].how == GDB_STEP && w->action[0].how == GDB_CONTINUE);
    world_free(w);
}

Test(session, points_and_ends)
{
    struct world *w = world_new();
    const struct gdb_stop at_point = {.kind = GDB_BREAKPOINT, .id = {7, 1}}, end = {.kind = GDB_EXITED, .id = {7, 1}, .number = 3};
    ask(w, "qSupported:swbreak+;hwbreak+");
    ANSWER(w, "Z0,400000,4", "OK");
    ANSWER(w, "Z2,1000,0", "E0c");
    ANSWER(w, "Z3,1000,8", "OK");
    ANSWER(w, "Z1,bad,4", "E0c");
    cr_assert_str_eq(ask(w, "Z7,1,1"), "");
    ANSWER(w, "z0,400000,4", "OK");
    gdb_stopped(&w->session, &at_point);
    ANSWER(w, "?", "T05swbreak:;thread:1;");
    ANSWER(w, "Z1,400000,4", "OK");
    ANSWER(w, "?", "T05hwbreak:;thread:1;");
    ANSWER(w, "vAttach;1", "E01");
    ANSWER(w, "QPassSignals:e;14", "OK"); /* SIGALRM, and SIGCHLD by gdb's number */
    cr_assert_eq(w->passed, UINT64_C(1) << 13 | UINT64_C(1) << 16);
    ANSWER(w, "QCatchSyscalls:1;5d;5e", "OK");
    cr_assert(w->ncalls == 2 && w->calls == 0x5d + 0x5e);
    ANSWER(w, "QCatchSyscalls:0", "OK");
    cr_assert_eq(w->ncalls, -1);
    ask(w, "c");
    w->out.n = 0;
    gdb_stopped(&w->session, &end);
    gdb_put(&w->out, "", 1);
    cr_assert_str_eq(w->out.bytes, "$W03#ba");
    world_free(w);
}

Test(session, objects_and_files)
{
    struct world *w = world_new();
    char folder[] = "/tmp/gdbstub-XXXXXX", file[64], packet[256];
    struct gdb_text hex = {0};
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/f", folder);
    gdb_hex(&hex, file, strlen(file));
    cr_assert_not_null(strstr(ask(w, "qXfer:features:read:target.xml:0,ffff"), "<reg name=\"r1\" bitsize=\"64\"/></feature></target>"));
    ANSWER(w, "qXfer:features:read:target.xml:0,5", "m<?xml");
    ANSWER(w, "qXfer:features:read:other.xml:0,5", "E00");
    ANSWER(w, "qXfer:auxv:read::0,100", "la#b*c}d$");
    ANSWER(w, "qXfer:auxv:read::6,100", "ld$");
    ANSWER(w, "qXfer:auxv:read::100,100", "l");
    ANSWER(w, "qRcmd,6869", "3c68693e");
    ANSWER(w, "vFile:setfs:0", "F0");
    snprintf(packet, sizeof packet, "vFile:open:%.*s,602,1b6", (int)hex.n, hex.bytes);
    ANSWER(w, packet, "F0");
    ANSWER(w, "vFile:pwrite:0,0,a#b", "F3");
    ANSWER(w, "vFile:pread:0,10,1", "F2;#b");
    cr_assert_eq(strncmp(ask(w, "vFile:fstat:0"), "F40;", 4), 0);
    ANSWER(w, "vFile:close:0", "F0");
    ANSWER(w, "vFile:close:0", "F-1,9");
    ANSWER(w, "vFile:pread:ffffffffffffffff,1,1", "F-1,9");
    snprintf(packet, sizeof packet, "vFile:unlink:%.*s", (int)hex.n, hex.bytes);
    ANSWER(w, packet, "F0");
    snprintf(packet, sizeof packet, "vFile:open:%.*s,0,0", (int)hex.n, hex.bytes);
    ANSWER(w, packet, "F-1,2");
    gdb_text_free(&hex);
    rmdir(folder);
    world_free(w);
}

Test(session, acknowledgements)
{
    struct world *w = world_new();
    w->out.n = 0;
    gdb_receive(&w->session, "$?#3e$?#3f-+", 12);
    gdb_put(&w->out, "", 1);
    cr_assert_str_eq(w->out.bytes, "-+$T05thread:1;#d7$T05thread:1;#d7");
    ANSWER(w, "QStartNoAckMode", "OK");
    w->out.n = 0;
    gdb_receive(&w->session, "-$?#3f", 6);
    gdb_put(&w->out, "", 1);
    cr_assert_str_eq(w->out.bytes, "$T05thread:1;#d7");
    world_free(w);
}

/* Packets of pieces of real ones, and bytes of any kind: each is answered or not, and nothing else happens. */
Test(session, anything_may_come)
{
    static const char *const pieces[] = {
        "?", "c", "C05", "D", "g", "G", "Hg", "Hc-1", "k", "m", "M", "p", "P", "s", "T", "X", "z0", "Z1", "Z4", "qC", "qfThreadInfo",
        "qsThreadInfo", "qThreadExtraInfo,", "qSupported:", "qXfer:features:read:", "qXfer:auxv:read:", "qRcmd,", "QPassSignals:",
        "QCatchSyscalls:", "vCont", ";c", ";r", ";C", "vFile:open:", "vFile:pread:", "vFile:pwrite:", "vFile:fstat:", "vFile:readlink:",
        "vKill;", "p7.1", "p-1.-1", ",", ":", ";", "=", "1000", "ffffffffffffffff", "0", "4", "-1", "target.xml", "+", "multiprocess+",
        "2f746d70", "read", "}", "#", "$", "\3", "\0\0"};
    unsigned seed = 1;
    struct world *w = world_new();
    const struct gdb_stop stop = {.kind = GDB_SIGNAL, .id = {7, 2}, .number = 2};
    for (unsigned i = 0; i < 200000; i++) {
        char packet[256];
        size_t n = 0;
        for (unsigned k = (unsigned)rand_r(&seed) % 6 + 1; k; k--) {
            const char *piece = pieces[(unsigned)rand_r(&seed) % ARRAY_SIZE(pieces)];
            n += (size_t)snprintf(packet + n, sizeof packet - n, "%s", piece);
        }
        for (unsigned k = (unsigned)rand_r(&seed) % 8; k < 2 && n; k++)
            packet[(unsigned)rand_r(&seed) % n] = (char)rand_r(&seed);
        if (memmem(packet, n, "vFile:unlink", 12) || memmem(packet, n, "vFile:open", 10))
            packet[0] = 'x';
        struct gdb_text framed = {0};
        packet_put(&framed, packet, n);
        if (i % 3)
            gdb_receive(&w->session, framed.bytes, framed.n);
        else
            gdb_receive(&w->session, packet, n);
        gdb_text_free(&framed);
        w->out.n = 0;
        w->session.ended = false;
        gdb_stopped(&w->session, &stop);
    }
    cr_assert(w->went && w->killed && w->detached);
    w->session.no_ack = true;
    gdb_receive(&w->session, "$?#3f", 5);
    gdb_receive(&w->session, "$?#3f", 5);
    cr_assert_not_null(w->out.bytes);
    world_free(w);
}

/* Packets go to the process that they name, or whose thread is the general one; some to all. */
Test(session, other_processes)
{
    static const char stop[] = "T05swbreak:;thread:p9.9;", end[] = "W02;process:8";
    struct world *w = world_new();
    ask(w, "qSupported:multiprocess+;swbreak+");
    w->others = 2;
    ANSWER(w, "Hgp8.8", "8:Hgp8.8");
    ANSWER(w, "m1000,4", "8:m1000,4");
    ANSWER(w, "Z0,1000,4", "8:Z0,1000,4");
    ANSWER(w, "Tp9.1", "9:Tp9.1");
    ANSWER(w, "Hgp7.2", "OK");
    ANSWER(w, "m1000,4", "00010203");
    ANSWER(w, "Tp7.1", "OK");
    ANSWER(w, "qfThreadInfo", "mp7.1,p7.2");
    ANSWER(w, "qsThreadInfo", "mp8.1");
    cr_expect_str_eq(ask(w, "qsThreadInfo"), "mp9.1");
    cr_expect_str_eq(ask(w, "qsThreadInfo"), "l");
    ANSWER(w, "QPassSignals:e", "OK");
    cr_expect_str_eq(w->asked, "9:QPassSignals:e");
    ANSWER(w, "D;9", "9:D;9");
    cr_expect_eq(w->forgotten, 9);
    cr_expect_eq(w->detached, 0);
    cr_assert_null(ask(w, "vCont;c:p9.-1")); /* nothing of this one runs, but gdb waits */
    cr_expect(w->passed_on == 1u << 9 && w->went == 0 && w->session.running);
    w->out.n = 0;
    gdb_other_stopped(&w->session, stop, sizeof stop - 1);
    cr_expect(memmem(w->out.bytes, w->out.n, stop, sizeof stop - 1) && !w->session.running);
    ANSWER(w, "m1000,4", "9:m1000,4"); /* the thread that stopped is the general one */
    w->passed_on = 0;
    cr_assert_null(ask(w, "vCont;c"));
    cr_expect(w->passed_on == (1u << 8 | 1u << 9) && w->went == 1);
    gdb_other_stopped(&w->session, end, sizeof end - 1);
    cr_expect_not(w->session.ended);
    world_free(w);
}
