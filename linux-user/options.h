/* The command line of user mode: one table (options.c) gives the options, their environment variables and the help. */
#ifndef LINUX_USER_OPTIONS_H
#define LINUX_USER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "exec/exec.h"
#include "linux-user/limits.h"
#include "linux-user/trace-options.h"

struct options {
    const char *called;     /* metic's own argv[0] */
    const char *sysroot;    /* NULL: to be found */
    const char *argv0;      /* NULL: the program's name */
    const char *cpu;        /* NULL: max */
    const char *release;    /* uname -r; NULL: the host's */
    const char *log_file;   /* NULL: stderr */
    int log_fd, trace_fd;   /* descriptors of the log and of trace-log.h that the program before left; -1: none */
    struct trace_options trace;
    uint64_t stack_size;    /* bytes; 0: by the resource limit */
    const char *execfn;     /* what the program sees as its file's name; NULL: the name given */
    int inherit;            /* descriptor of inherit.h; 0: none */
    int self_fd;            /* descriptor of metic's own file; 0: none */
    struct process_limits limits;
    const char *code_cache;   /* folder of translations; "off": none; NULL: default */
    uint64_t code_cache_size; /* bytes; 0: default */
    enum exec_engine engine;
    enum exec_tier tier;
    unsigned hot_after;     /* entries before code is hot; 0: default */
    const char *gdb;        /* where to wait for a debugger; NULL: nowhere */
    bool one_insn;
    bool has_seed;
    uint64_t seed;          /* of address layout and AT_RANDOM, when has_seed */
    char **env;             /* the guest's environment: NULL-terminated, owned */
    char **again;           /* the options' words as given, for a program that this one starts: NULL-terminated, owned */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_BAD };

/*
 * called: how metic was. Reads the environment, then argv[1…] up to the program's name, whose index goes to *program
 * (argv NULL: the environment alone). Starts the log. OPTIONS_DONE: help or version was printed; OPTIONS_BAD: the
 * reason was reported. `host_env` is the environment.
 */
enum options_result options_read(struct options *o, const char *called, char **argv, char **host_env, int *program);

#endif
