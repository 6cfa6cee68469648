/* The command line of system mode: one table (options.c) gives the options and the help. Names as qemu-system's. */
#ifndef SYSTEM_OPTIONS_H
#define SYSTEM_OPTIONS_H

#include "hw/boards/board.h"
#include "system/sandbox.h"

struct system_options {
    const struct board_class *board;
    struct board_options b;
    const char *serial;  /* a chardev's text, perhaps of the short form; NULL: the terminal */
    const char *monitor; /* likewise, of the human monitor; NULL: the terminal, where that is in use */
    const char *gdb;     /* likewise, of a debugger; NULL: none */
    const char *log_file, *name, *uuid, *pidfile;
    char *memory_backend; /* -machine memory-backend: an id, owned; NULL: none */
    const char *loadvm, *incoming; /* a snapshot, a file: the state to begin with; NULL: that of power-on */
    bool defer;                    /* -incoming defer: migrate-incoming names the file */
    struct sandbox sandbox;
    bool no_reboot, no_shutdown, stopped, daemonize, no_defaults, temporary;
    char **chardevs, **drives, **blockdevs, **netdevs, **devices; /* as given: NULL-terminated, owned; NULL: none */
    char **fw_cfg, **names; /* -fw_cfg, -name, likewise */
    char **qmp, **qmp_pretty, **monitors; /* -qmp, -qmp-pretty, -mon */
    unsigned nnics; /* of -nic */
    char *backend; /* -object memory-backend-ram: its id, owned; NULL: there is none */
    uint64_t backend_size; /* bytes */
    enum { THREADS_ANY, THREADS_SINGLE, THREADS_MULTI } threads; /* -accel tcg,thread=: as processors must run */
    bool on_terminal; /* -nographic: the serial line and Ctrl-a commands on the terminal */
};

/* Models for -cpu, the default first; NULL-terminated. */
extern const char *const system_cpu_models[];

/* The i-th option, as "-smp"; NULL: no more. */
const char *system_option_word(unsigned i);

enum system_result { SYSTEM_RUN, SYSTEM_DONE, SYSTEM_BAD };

/* Reads argv[1…]; SYSTEM_DONE: help or version was printed; SYSTEM_BAD: the reason was reported. Starts the log. */
enum system_result system_options_read(struct system_options *o, char **argv);

#endif
