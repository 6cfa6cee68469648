/*
 * The human monitor's commands: tables that the help, `info`, completion and the reference page (docs/ref/monitor.rst)
 * read.
 */
#ifndef SYSTEM_MONITOR_HUMAN_H
#define SYSTEM_MONITOR_HUMAN_H

#include "system/monitor/monitor.h"

struct human_command {
    const char *name, *alias, *usage, *doc; /* alias: NULL: none; usage: of its arguments */
    /* What it prints is appended; a mistake too. `rest`: the line behind the name, without blanks around it. */
    void (*run)(struct monitor *m, const char *rest, GString *out);
    /*
     * run NULL: words that become arguments of the protocol's command of this name; the names of those arguments, in
     * order, end with NULL. One whose name begins with '?' may be missing, one with '#' is a number, with '!' is on or
     * off.
     */
    const char *qmp, *args[4];
};

/* `info NAME`. */
struct human_info {
    const char *name, *doc;
    void (*run)(struct monitor *m, GString *out);
};

/* Both end with a NULL name. */
extern const struct human_command human_commands[];
extern const struct human_info human_infos[];

/* Snapshots: savevm, loadvm, delvm, migrate, and what `info` shows of them. */
void human_savevm(struct monitor *m, const char *rest, GString *out);
void human_loadvm(struct monitor *m, const char *rest, GString *out);
void human_delvm(struct monitor *m, const char *rest, GString *out);
void human_migrate(struct monitor *m, const char *rest, GString *out);
void human_info_snapshots(struct monitor *m, GString *out);
void human_info_migrate(struct monitor *m, GString *out);

/* Runs a command of the protocol, whose arguments it takes; a mistake is printed, and the result NULL. */
struct json *human_execute(struct monitor *m, const char *command, struct json *args, GString *out);
/* `x`, `xp` and `print` behind their names. */
void human_examine(struct monitor *m, const char *rest, bool physical, GString *out);
void human_print(struct monitor *m, const char *rest, GString *out);

#endif
