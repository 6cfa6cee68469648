/*
 * What qmp.schema says, as tables that tools/gen-qmp.py makes of it: types that values are checked against, commands
 * with their functions, events.
 */
#ifndef SYSTEM_MONITOR_SCHEMA_H
#define SYSTEM_MONITOR_SCHEMA_H

#include "system/monitor/json.h"

struct monitor;

enum schema_kind {
    SCHEMA_STRING,
    SCHEMA_INT, /* min to max */
    SCHEMA_NUMBER,
    SCHEMA_BOOL,
    SCHEMA_NULL,
    SCHEMA_ANY,
    SCHEMA_ARRAY, /* of `element` */
    SCHEMA_ENUM,  /* one of `words` */
    SCHEMA_OBJECT,
    SCHEMA_ALTERNATE, /* of the case whose JSON type it has */
};

struct schema_type {
    const char *name;
    enum schema_kind kind;
    int64_t min;
    uint64_t max;
    const struct schema_type *element;
    const char *const *words;
    unsigned nwords;
    const struct schema_member *members;
    unsigned nmembers;
    /* A union: the member of type enum that says which case's members belong to it, too. */
    const char *tag;
    const struct schema_case *cases;
    unsigned ncases;
    bool open; /* members that are not listed are not looked at */
};

struct schema_case {
    const char *word;
    const struct schema_type *type;
};

/*
 * Members of a command's arguments have a place in its C struct: const char *, int64_t, uint64_t (types without
 * negative values), double, bool, an enum as int; of every other type a const struct json *.
 */
struct schema_member {
    const char *name;
    const struct schema_type *type;
    bool optional;
    unsigned at, has_at; /* bytes; has_at: of the bool that tells whether an optional number, truth or word is there; 0: none */
};

/* A command's mistake: one of QMP's classes, and one line. */
struct qmp_error {
    const char *class; /* NULL: none */
    char *text;
};
void qmp_fail(struct qmp_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void qmp_fail_class(struct qmp_error *e, const char *class, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Takes a line that a function has returned; true: there was one. */
bool qmp_fail_line(struct qmp_error *e, char *line);

struct schema_command {
    const char *name, *doc; /* doc: its first line */
    const struct schema_type *args, *result; /* result NULL: an empty object */
    unsigned args_size; /* bytes of the C struct */
    struct json *(*call)(struct monitor *m, const void *args, struct qmp_error *e);
};

struct schema_event {
    const char *name;
    const struct schema_type *data; /* NULL: none */
    int64_t interval; /* ns: at most one is sent in such a time; 0: all are */
};

extern const struct schema_command qmp_commands[];
extern const unsigned qmp_ncommands;
extern const struct schema_event qmp_events[];
extern const unsigned qmp_nevents;
/* The answer of query-qmp-schema. */
extern const char qmp_introspection[];

const struct schema_command *qmp_command_by_name(const char *name);

/* NULL: the value is of the type; else one line, to be freed by g_free(). `name`: what the value is called. */
char *schema_check(const struct schema_type *t, const struct json *v, const char *name);
/* Fills a command's C struct from arguments that have been checked; it lives as long as they do. */
void schema_unpack(const struct schema_type *t, const struct json *args, void *out);

#endif
