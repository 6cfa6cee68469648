/* The command line of user mode: see options.h. Names and meaning follow qemu-user(1) where it has the option. */
#include "linux-user/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cmdline.h"
#include "base/late.h"
#include "base/log.h"
#include "cmd/command.h"
#include "tcg/host.h"
#include "linux-user/trace-log.h"

/* The qemu-user whose command line is followed. */
#define QEMU_INTERFACE "11.1.0"

enum { MIN_STACK = 64 << 10 };
static const uint64_t max_stack = UINT64_C(1) << 36, max_cache = UINT64_C(1) << 40;

/* X(NAME, word, argument, environment, repeat, help): repeat: a program started by execve gets the option, too. */
#define OPTIONS(X) \
    X(SYSROOT, "-L", "folder", "METIC_SYSROOT QEMU_LD_PREFIX", 1, "folder with the guest's loader and libraries") \
    X(SET_ENV, "-E", "name=value", "QEMU_SET_ENV", 0, "set a variable of the program's environment") \
    X(UNSET_ENV, "-U", "name", "QEMU_UNSET_ENV", 0, "remove a variable from the program's environment") \
    X(ARGV0, "-0", "name", "QEMU_ARGV0", 0, "the program's argv[0]") \
    X(STACK, "-s", "size", "QEMU_STACK_SIZE", 1, "stack size in bytes, or with K, M, G") \
    X(EXECFN, "-execfn", "name", NULL, 0, "the program file's name, as the program sees it (AT_EXECFN, comm)") \
    X(RLIMIT, "-rlimit", "as=soft:hard,...", NULL, 0, "limits of the program's memory in bytes: as, data, stack") \
    X(INHERIT, "-inherit", "fd", NULL, 0, \
      "a descriptor with what the process keeps over execve; metic itself gives it") \
    X(RELEASE, "-r", "release", "QEMU_UNAME", 1, "what uname -r answers") \
    X(CPU, "-cpu", "model", "QEMU_CPU", 1, "processor model (\"help\" lists them)") \
    X(STRACE, "-strace", NULL, "QEMU_STRACE", 1, "log system calls") \
    X(STRACE_WITH, "-strace-with", "words", "METIC_STRACE", 1, \
      "log system calls as these words of strace(1) say (\"help\" lists them)") \
    X(LOG, "-d", "topic,...", "QEMU_LOG", 1, "log topics (\"help\" lists them)") \
    X(LOG_FILE, "-D", "file", "QEMU_LOG_FILENAME", 1, "log into a file; %d in its name: a file per thread") \
    X(SELF_FD, "-self-fd", "fd", NULL, 0, \
      "a descriptor of metic's own file, for roots without it; metic itself gives it") \
    X(LOG_FD, "-log-fd", "log,trace", NULL, 0, "descriptors of an open log; metic itself gives them") \
    X(ONE_INSN, "-one-insn-per-tb", NULL, "QEMU_ONE_INSN_PER_TB", 1, "translate each instruction by itself") \
    X(INTERP, "--interp", NULL, NULL, 1, "interpret instead of generating code") \
    X(VERIFY, "--verify", NULL, NULL, 1, "run generated code and the interpreter in lock-step and compare") \
    X(TIER, "-tier", "tier", "METIC_TIER", 1, \
      "generate code quick, hot (well) or auto: quick, then hot where it pays") \
    X(HOT_AFTER, "-hot-after", "n", "METIC_HOT_AFTER", 1, "entries of quick code before it is taken for hot") \
    X(CODE_CACHE, "-code-cache", "folder", "METIC_CODE_CACHE", 1, "folder where translations are kept, or \"off\"") \
    X(CODE_CACHE_SIZE, "-code-cache-size", "size", "METIC_CODE_CACHE_SIZE", 1, \
      "bound of that folder in bytes, or with K, M, G") \
    X(GDB, "-g", "port", "METIC_GDB QEMU_GDB", 0, "wait for a debugger on a TCP port, HOST:PORT or unix:PATH") \
    X(SEED, "-seed", "number", "QEMU_RAND_SEED", 1, "what is random for the program's start comes from this number") \
    X(GUEST_BASE, "-B", "address", "QEMU_GUEST_BASE", 0, \
      "nothing, for scripts: the program's addresses are those of the host") \
    X(RESERVED_VA, "-R", "size", "QEMU_RESERVED_VA", 0, "nothing, for scripts: no address space is reserved") \
    X(TB_SIZE, "-tb-size", "size", "QEMU_TB_SIZE", 0, "nothing, for scripts: memory for code grows as it is needed") \
    X(PAGE_SIZE, "-p", "size", NULL, 0, "nothing, for scripts: pages have their architecture's size") \
    X(SINGLE_STEP, "-singlestep", NULL, "QEMU_SINGLESTEP", 1, "older name of -one-insn-per-tb") \
    X(VERSION, "-version", NULL, "QEMU_VERSION", 0, "print the version") \
    X(HELP, "-h", NULL, NULL, 0, "print this text") \
    X(HELP_LONG, "-help", NULL, NULL, 0, "print this text") \
    X(MAN, "-man", NULL, NULL, 0, "print the manual page's source") \
    X(COMPLETION, "-completion", NULL, NULL, 0, "print what bash needs to complete these words")

enum option {
    OPTIONS(OPTION_NUMBER)
    OPTION_COUNT
};

static const struct option_row rows[] = {
#define X(NAME, word, argument, environment, repeat, help) {word, argument, environment, help},
    OPTIONS(X)
#undef X
};

static const bool repeated[] = {
#define X(NAME, word, argument, environment, repeat, help) repeat,
    OPTIONS(X)
#undef X
};

/* Accepted so that existing scripts work; all mean the one processor that is implemented. */
static const char *const cpu_models[] = {
    "max", "any", "cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "rv64",
};

/* --- lists of strings --- */

static size_t length(char **v)
{
    size_t n = 0;
    while (v[n])
        n++;
    return n;
}

/* Takes over `word`. */
static void append(char ***v, char *word)
{
    size_t n = *v ? length(*v) : 0;
    char **bigger = realloc(*v, (n + 2) * sizeof *bigger);
    CHECK(bigger && word);
    bigger[n] = word;
    bigger[n + 1] = NULL;
    *v = bigger;
}

static void unset_env(struct options *o, const char *name, size_t n)
{
    char **to = o->env;
    for (char **from = o->env; *from; from++) {
        if (!strncmp(*from, name, n) && (*from)[n] == '=')
            free(*from);
        else
            *to++ = *from;
    }
    *to = NULL;
}

/* --- one option --- */

static void print_help(void)
{
    printf("usage: metic [option...] program [argument...]\n"
           "Runs a Linux program made for another processor. Called as qemu-<arch> or metic-<arch>, only that one's.\n\n");
    option_print_help(rows, OPTION_COUNT);
    printf("\nCommands, each with -help; a program of such a name is run as ./NAME:\n");
    commands_print_help();
}

static void print_man(void)
{
    printf(".TH METIC 1 \"\" \"metic " METIC_VERSION
           "\"\n.SH NAME\nmetic \\- run Linux programs made for another processor\n"
           ".SH SYNOPSIS\n.B metic\n[\\fIoption\\fR...] \\fIprogram\\fR [\\fIargument\\fR...]\n.br\n.B metic\n"
           "\\fIcommand\\fR [\\fIargument\\fR...]\n"
           ".SH DESCRIPTION\nThe processor is recognised from the program file, which may also be a script.\n"
           "Called as qemu\\-\\fIarch\\fR or metic\\-\\fIarch\\fR, metic runs programs for that processor alone.\n"
           "The folder of the program's libraries is found by itself where the distribution's cross libraries are\n"
           "installed.\n.SH OPTIONS\nAn environment variable that is named stands for its option, except for a program "
           "that has\n"
           "more rights than who starts it.\n");
    option_print_man(rows, OPTION_COUNT);
    printf(".SH WORDS OF \\-strace\\-with\n");
    trace_options_print_man();
    printf(".SH COMMANDS\nThe first word is a command when it is its exact name and metic was called by that name; a "
           "program of the same\n"
           "name is run as ./\\fINAME\\fR or after \\-\\-.\n");
    commands_print_man();
    printf(".SH EXIT STATUS\nThe program's own, and its death by a signal. 1: a mistake on the command line. 126: the "
           "file can't be\n"
           "run. 127: there is no such file, or its loader is missing.\n");
}

static bool set_stack(struct options *o, const char *value)
{
    if (option_read_size(value, max_stack, &o->stack_size) && o->stack_size >= MIN_STACK)
        return true;
    report_error("-s %s: not a stack size from 64K to 64G", value);
    return false;
}

static bool set_cache_size(struct options *o, const char *value)
{
    if (option_read_size(value, max_cache, &o->code_cache_size) && o->code_cache_size)
        return true;
    report_error("-code-cache-size %s: not a size up to 1024G", value);
    return false;
}

static bool set_seed(struct options *o, const char *value)
{
    char *end;
    errno = 0;
    o->seed = strtoull(value, &end, 0);
    o->has_seed = !errno && end != value && !*end;
    if (!o->has_seed)
        report_error("-seed %s: not a number", value);
    return o->has_seed;
}

/* Scripts read the second form's number: the interface that is meant. */
static void print_version(const char *called)
{
    const char *slash = strrchr(called, '/'), *name = slash ? slash + 1 : called;
    const struct tcg_host *host = tcg_host_native();
    if (strncmp(name, "qemu-", 5))
        printf("metic " METIC_VERSION " (%s%s)\n", host ? "generates code for " : "interprets", host ? host->name : "");
    else
        printf("%.*s version " QEMU_INTERFACE " (metic " METIC_VERSION ")\n", (int)(5 + strcspn(name + 5, "-")), name);
}

static enum options_result set_cpu(struct options *o, const char *value)
{
    bool list = !strcmp(value, "help") || !strcmp(value, "?");
    for (unsigned i = 0; i < ARRAY_SIZE(cpu_models); i++) {
        if (list)
            printf("%s\n", cpu_models[i]);
        else if (!strcmp(value, cpu_models[i]))
            o->cpu = cpu_models[i];
    }
    if (list)
        return OPTIONS_DONE;
    if (o->cpu)
        return OPTIONS_RUN;
    report_error("-cpu %s: no such model (-cpu help lists them)", value);
    return OPTIONS_BAD;
}

static enum options_result set_log(const char *value)
{
    if (!strcmp(value, "help")) {
        log_print_topics(stdout);
        return OPTIONS_DONE;
    }
    const char *unknown = log_parse_topics(value);
    if (unknown)
        report_error("-d %s: no such topic (-d help lists them)", unknown);
    return unknown ? OPTIONS_BAD : OPTIONS_RUN;
}

static enum options_result set_trace(struct options *o, const char *words)
{
    log_mask |= 1u << LOG_STRACE;
    switch (trace_options_read(&o->trace, words)) {
    case TRACE_WORDS_GOOD: return OPTIONS_RUN;
    case TRACE_WORDS_HELP: return OPTIONS_DONE;
    default: return OPTIONS_BAD;
    }
}

static enum options_result set_tier(struct options *o, const char *value)
{
    static const char *const tiers[] = {[TIER_AUTO] = "auto", [TIER_QUICK] = "quick", [TIER_HOT] = "hot"};
    for (unsigned i = 0; i < ARRAY_SIZE(tiers); i++)
        if (!strcmp(value, tiers[i])) {
            o->tier = i;
            return OPTIONS_RUN;
        }
    report_error("-tier %s: not one of quick, hot, auto", value);
    return OPTIONS_BAD;
}

static enum options_result set_hot_after(struct options *o, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 0);
    if (*end || end == value || *value == '-' || n < 1 || n > INT32_MAX) {
        report_error("-hot-after %s: not a number from 1 to %d", value, INT32_MAX);
        return OPTIONS_BAD;
    }
    o->hot_after = n;
    return OPTIONS_RUN;
}

/* "a=1,b=2" as QEMU_SET_ENV has it; -E gives one variable whose value may hold commas. */
static enum options_result set_env(struct options *o, const char *value, bool list)
{
    while (*value) {
        size_t n = list ? strcspn(value, ",") : strlen(value);
        const char *equals = memchr(value, '=', n);
        if (!equals || equals == value) {
            report_error("-E %.*s: not name=value", (int)n, value);
            return OPTIONS_BAD;
        }
        unset_env(o, value, (size_t)(equals - value));
        append(&o->env, strndup(value, n));
        value += n + (value[n] == ',');
    }
    return OPTIONS_RUN;
}

static enum options_result unset_envs(struct options *o, const char *value)
{
    while (*value) {
        size_t n = strcspn(value, ",");
        unset_env(o, value, n);
        value += n + (value[n] == ',');
    }
    return OPTIONS_RUN;
}

/* A name that stays good when the program changes its working folder. Owned by the caller. */
static char *absolute_name(const char *folder)
{
    char *name = realpath(folder, NULL);
    return name ? name : strdup(folder);
}

static enum options_result apply(struct options *o, enum option option, const char *value, bool from_env)
{
    switch (option) {
    case OPT_SYSROOT:
        o->sysroot = absolute_name(value);
        return OPTIONS_RUN;
    case OPT_SET_ENV:
        return set_env(o, value, from_env);
    case OPT_UNSET_ENV:
        return unset_envs(o, value);
    case OPT_ARGV0:
        o->argv0 = value;
        return OPTIONS_RUN;
    case OPT_STACK:
        return set_stack(o, value) ? OPTIONS_RUN : OPTIONS_BAD;
    case OPT_EXECFN: o->execfn = value; return OPTIONS_RUN;
    case OPT_RLIMIT:
        if (limits_parse(&o->limits, value))
            return OPTIONS_RUN;
        report_error("-rlimit %s: not as=soft:hard,data=soft:hard,stack=soft:hard in bytes", value);
        return OPTIONS_BAD;
    case OPT_INHERIT: o->inherit = atoi(value); return OPTIONS_RUN;
    case OPT_SELF_FD: o->self_fd = atoi(value); return OPTIONS_RUN;
    case OPT_RELEASE:
        o->release = value;
        return OPTIONS_RUN;
    case OPT_CPU:
        return set_cpu(o, value);
    case OPT_STRACE:
        log_mask |= 1u << LOG_STRACE;
        return OPTIONS_RUN;
    case OPT_STRACE_WITH:
        return set_trace(o, value);
    case OPT_LOG:
        return set_log(value);
    case OPT_LOG_FILE:
        o->log_file = value;
        return OPTIONS_RUN;
    case OPT_LOG_FD:
        if (sscanf(value, "%d,%d", &o->log_fd, &o->trace_fd) == 2)
            return OPTIONS_RUN;
        report_error("-log-fd %s: not two descriptors", value);
        return OPTIONS_BAD;
    case OPT_ONE_INSN:
    case OPT_SINGLE_STEP:
        o->one_insn = true;
        return OPTIONS_RUN;
    case OPT_INTERP:
        o->engine = ENGINE_INTERP;
        return OPTIONS_RUN;
    case OPT_VERIFY:
        o->engine = ENGINE_VERIFY;
        return OPTIONS_RUN;
    case OPT_TIER:
        return set_tier(o, value);
    case OPT_HOT_AFTER:
        return set_hot_after(o, value);
    case OPT_CODE_CACHE:
        o->code_cache = strcmp(value, "off") ? absolute_name(value) : value;
        return OPTIONS_RUN;
    case OPT_CODE_CACHE_SIZE:
        return set_cache_size(o, value) ? OPTIONS_RUN : OPTIONS_BAD;
    case OPT_GDB:
        o->gdb = value;
        unset_envs(o, "METIC_GDB,QEMU_GDB"); /* it is about this program, not about those that it starts */
        return OPTIONS_RUN;
    case OPT_SEED:
        return set_seed(o, value) ? OPTIONS_RUN : OPTIONS_BAD;
    case OPT_GUEST_BASE:
    case OPT_RESERVED_VA:
    case OPT_TB_SIZE:
    case OPT_PAGE_SIZE:
        return OPTIONS_RUN;
    case OPT_VERSION:
        print_version(o->called);
        return OPTIONS_DONE;
    case OPT_HELP:
    case OPT_HELP_LONG:
        print_help();
        return OPTIONS_DONE;
    case OPT_MAN:
        print_man();
        return OPTIONS_DONE;
    case OPT_COMPLETION:
        commands_print_completion(rows, OPTION_COUNT);
        return OPTIONS_DONE;
    case OPTION_COUNT:
        break;
    }
    return OPTIONS_BAD;
}

/* --- sources --- */

/* The first of the variables named in `names` that is set. */
static const char *from_environment(const char *names)
{
    while (names && *names) {
        char name[32];
        size_t n = strcspn(names, " ");
        snprintf(name, sizeof name, "%.*s", (int)n, names);
        const char *value = secure_getenv(name); /* a program with foreign rights takes no orders from its user */
        if (value)
            return value;
        names += n + (names[n] == ' ');
    }
    return NULL;
}

/* A program started by execve gets the option, even if it came from an environment that the guest has changed since. */
static void repeat(struct options *o, enum option option, const char *value)
{
    if (!repeated[option])
        return;
    append(&o->again, strdup(rows[option].word));
    if (rows[option].argument)
        append(&o->again, strdup(option == OPT_SYSROOT      ? o->sysroot
                                 : option == OPT_CODE_CACHE ? o->code_cache
                                                            : value));
}

static enum options_result read_words(struct options *o, char **argv, int *program)
{
    struct option_reader reader = {.rows = rows, .nrows = OPTION_COUNT, .argv = argv, .at = 1};
    int option;
    while ((option = option_next(&reader)) >= 0) {
        enum options_result r = apply(o, (enum option)option, reader.value, false);
        if (r != OPTIONS_RUN)
            return r;
        repeat(o, (enum option)option, reader.value);
    }
    if (option == OPTION_BAD)
        return OPTIONS_BAD;
    if (!argv[reader.at]) {
        report_error("no program given (-h shows the usage)");
        return OPTIONS_BAD;
    }
    *program = reader.at;
    return OPTIONS_RUN;
}

enum options_result options_read(struct options *o, const char *called, char **argv, char **host_env, int *program)
{
    *o = (struct options){.called = called, .engine = ENGINE_JIT, .log_fd = -1, .trace_fd = -1};
    trace_options_init(&o->trace);
    limits_read(&o->limits);
    o->env = calloc(length(host_env) + 1, sizeof *o->env);
    o->again = calloc(1, sizeof *o->again);
    CHECK(o->env && o->again);
    for (size_t i = 0; host_env[i]; i++)
        CHECK((o->env[i] = strdup(host_env[i])));
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const char *value = from_environment(rows[i].environment);
        enum options_result r = value && *value ? apply(o, i, value, true) : OPTIONS_RUN;
        if (r != OPTIONS_RUN)
            return r;
        if (value && *value)
            repeat(o, i, value);
    }
    enum options_result r = argv ? read_words(o, argv, program) : OPTIONS_RUN;
    if (r != OPTIONS_RUN || (!log_mask && !o->log_file))
        return r;
    if (!log_open(o->log_file, o->log_fd)) {
        report_error("-D %s: %s", o->log_file, strerror(errno));
        return OPTIONS_BAD;
    }
    if (log_on(LOG_STRACE)) {
        late_relocate(); /* the names that it prints */
        trace_log_start(o->trace_fd);
    }
    return r;
}
