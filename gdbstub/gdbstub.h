/*
 * A debugger's session by the gdb remote serial protocol, in all-stop mode: packets on one side, on the other what is
 * debugged (struct gdb_ops), a guest process or a machine. A session starts nothing by itself and waits for nothing:
 * its owner gives it bytes, and tells it of stops. One thread at a time uses it.
 */
#ifndef GDBSTUB_GDBSTUB_H
#define GDBSTUB_GDBSTUB_H

#include <sys/types.h>

#include "exec/registers.h"
#include "gdbstub/packet.h"

/* Both count from 1. In what gdb sends, 0 is any and GDB_ALL all. */
struct gdb_id {
    int64_t process, thread;
};
enum { GDB_ALL = -1 };

/* Why what is debugged stands still, or ends. Signals are Linux's numbers. */
enum gdb_stop_kind {
    GDB_SIGNAL,       /* number: the signal */
    GDB_BREAKPOINT,   /* at the pc; Z0 or Z1 */
    GDB_WATCH,        /* number: the address; Z2 */
    GDB_READ_WATCH,   /* Z3 */
    GDB_ACCESS_WATCH, /* Z4 */
    GDB_FORK,         /* other: the child */
    GDB_VFORK,
    GDB_VFORK_DONE,
    GDB_EXEC,    /* text: the program's path */
    GDB_SYSCALL, /* number: of the call that begins */
    GDB_SYSCALL_RETURN,
    GDB_EXITED, /* number: the exit code */
    GDB_KILLED, /* number: the signal */
};

struct gdb_stop {
    enum gdb_stop_kind kind;
    struct gdb_id id, other;
    uint64_t number;
    char text[4096];
};

/* How a thread goes on. */
struct gdb_action {
    enum { GDB_STAY, GDB_CONTINUE, GDB_STEP, GDB_RANGE } how;
    int signal;          /* 0: none */
    uint64_t start, end; /* GDB_RANGE: steps while the pc is in [start, end) */
};

/* Z packets, by their number. */
enum gdb_point {
    GDB_POINT_SOFTWARE,
    GDB_POINT_HARDWARE,
    GDB_POINT_WRITE,
    GDB_POINT_READ,
    GDB_POINT_ACCESS,
    GDB_POINTS
};

/* Events that gdb understands, by qSupported's word. */
enum { GDB_KNOWS_FORK = 1, GDB_KNOWS_VFORK = 2, GDB_KNOWS_EXEC = 4 };

/* What is debugged. `o` is the session's opaque. Threads stand still in all but interrupt(). Functions may be NULL
 * where noted. */
struct gdb_ops {
    const char *os; /* gdb's osabi; NULL: none */
    bool attached;  /* it was there before gdb, who leaves it running when it ends */
    /* The thread behind *id ({0, 0}: the first); false: there is none. */
    bool (*next)(void *o, struct gdb_id *id);
    /* NULL: there is no such thread. */
    struct cpu *(*cpu)(void *o, struct gdb_id id);
    void (*name)(void *o, struct gdb_id id, struct gdb_text *out);
    /* A register by register_write(), perhaps with something around it; NULL: just that. */
    bool (*set_register)(void *o, struct cpu *cpu, const struct target_reg *r, const void *value);
    /* Bytes of its memory, whatever it may do there itself; how many there are from the first on. */
    size_t (*read)(void *o, struct gdb_id id, uint64_t address, void *to, size_t n);
    bool (*write)(void *o, struct gdb_id id, uint64_t address, const void *from, size_t n);
    bool (*point)(void *o, struct gdb_id id, enum gdb_point kind, uint64_t address, uint64_t n, bool add);
    /* What the thread is to do from go() on. */
    void (*act)(void *o, struct gdb_id id, const struct gdb_action *action);
    void (*go)(void *o);
    /* Stop soon, and tell the session. */
    void (*interrupt)(void *o);
    /* It runs on by itself; the session of its last process ends. */
    void (*detach)(void *o, int64_t process);
    void (*kill)(void *o, int64_t process); /* 0: all that there is */
    /* qXfer objects: "auxv", "exec-file", "siginfo"; false: there is none. NULL: no objects. */
    bool (*object)(void *o, const char *name, struct gdb_id id, struct gdb_text *out);
    /* Are addresses of memory physical (QEMU's qqemu.PhyMemMode)? NULL: they never are. */
    bool *(*physical)(void *o);
    /* A command line of `monitor`, its answer to out. */
    void (*monitor)(void *o, const char *line, struct gdb_text *out);
    /* The host's name of what the guest names so, a buffer of PATH_MAX. NULL: there are no files. */
    const char *(*path)(void *o, const char *name, char *buffer);
    /* Signals that need not be told, and calls that are to be; NULL: neither is known. */
    void (*pass)(void *o, uint64_t signals);
    /* n < 0: none; 0: all. */
    void (*catch)(void *o, const uint64_t *calls, int n);
    /* Other processes behind the same connection, each with a session of its own. NULL: there never are. The one behind
     * `process` (0: the first); 0: there is none. */
    int64_t (*other)(void *o, int64_t process);
    /* Gives one a packet's payload, and its answer to out (nothing: it is gone). */
    void (*ask)(void *o, int64_t process, const void *payload, size_t n, struct gdb_text *out);
    /* Gives one a packet that makes it run: it answers by a stop, for gdb_other_stopped(). */
    void (*pass_on)(void *o, int64_t process, const void *payload, size_t n);
    /* It has been detached or killed. */
    void (*forget)(void *o, int64_t process);
};

enum { GDB_FILES = 64, GDB_HARDWARE = 64 };

struct gdb_session {
    const struct gdb_ops *ops;
    void (*send)(void *o, const void *bytes, size_t n);
    void *opaque;
    bool no_ack;
    bool processes;                        /* ids have two parts */
    bool points_told;                      /* gdb wants to know of breakpoints by name */
    uint32_t knows;                        /* GDB_KNOWS_… */
    bool running, ended;                   /* ended: nothing is debugged any more */
    struct gdb_id general, resume, listed; /* of H packets; of qsThreadInfo */
    int64_t listed_other;                  /* whose threads qsThreadInfo tells behind this process's own; 0: none yet */
    struct gdb_stop stop;                  /* the last one */
    struct gdb_text reply, sent;           /* a payload that is being made; the last packet */
    enum {
        GDB_THEN_NOTHING,
        GDB_THEN_QUIET,
        GDB_THEN_GO,
        GDB_THEN_WAIT, /* others go */
        GDB_THEN_KILL,
        GDB_THEN_DETACH
    } then; /* behind the answer */
    int64_t then_process;
    int files[GDB_FILES];            /* 1 + descriptor */
    uint64_t hardware[GDB_HARDWARE]; /* pcs of breakpoints that gdb calls hardware (Z1) */
    unsigned nhardware;
    struct packet_reader reader;
};

/* A new session of what stands still as `stop` says. */
void gdb_init(struct gdb_session *s, const struct gdb_ops *ops, void *opaque,
              void (*send)(void *o, const void *bytes, size_t n), const struct gdb_stop *stop);
void gdb_free(struct gdb_session *s);
/* Bytes from gdb. */
void gdb_receive(struct gdb_session *s, const void *bytes, size_t n);
/* What ran has stopped, or ended. */
void gdb_stopped(struct gdb_session *s, const struct gdb_stop *stop);

/* Another process has, which told it by this payload (a NUL is behind it). What runs in this one stands still already.
 */
void gdb_other_stopped(struct gdb_session *s, const char *payload, size_t n);

/* gdb's number of a Linux signal, and back; 0: there is none. */
int gdb_signal_from_linux(int signo);
int gdb_signal_to_linux(int signal);

/* --- among the files of this folder --- */

/* "Thread-id syntax" at *p, which moves behind it. */
bool gdb_read_id(const char **p, struct gdb_id *out);
void gdb_send_reply(struct gdb_session *s);
/* A packet that another process answers: then it has, in s->reply. */
bool gdb_is_for_other(struct gdb_session *s, const char *p, const char *end);
/* Answers with the other processes' threads, behind the last of this one's own. */
void gdb_list_others(struct gdb_session *s);

/* The document that describes the target's registers (qXfer:features:read). */
void gdb_describe(const struct target *t, const char *os, struct gdb_text *out);
/* vFile packets, what is behind "vFile:"; the answer goes to s->reply. */
void gdb_file(struct gdb_session *s, const char *p, const char *end);
void gdb_close_files(struct gdb_session *s);

#endif
