/* The words of -strace-with: see trace-options.h. Names and meaning are those of strace(1). */
#include "linux-user/trace-options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cmdline.h"
#include "base/late.h"
#include "base/log.h"

enum { STRING_LIMIT = 32, MOST_WORDS = 64 };

#define WORDS(X) \
    X(CLOCK, "-t", NULL, "time of day before each line") \
    X(CLOCK_US, "-tt", NULL, "the same with microseconds") \
    X(CLOCK_EPOCH, "-ttt", NULL, "seconds since 1970 before each line") \
    X(RELATIVE, "-r", NULL, "seconds since the line before") \
    X(DURATION, "-T", NULL, "seconds spent in each call") \
    X(STRINGS, "-s", "size", "bytes of a string that are shown; 32") \
    X(VERBOSE, "-v", NULL, "structs, lists and environments in full") \
    X(DESCRIPTORS, "-y", NULL, "the file behind each descriptor") \
    X(HEX, "-x", NULL, "strings that are not plain text in hexadecimal") \
    X(HEX_ALWAYS, "-xx", NULL, "all strings in hexadecimal") \
    X(FILTER, "-e", "expression", \
      "trace=, signal= or status= and names with commas between, or ! before them: only those; calls also by family, " \
      "%file") \
    X(SUCCESSFUL, "-z", NULL, "only calls that succeed") \
    X(FAILED, "-Z", NULL, "only calls that fail") \
    X(COUNTS, "-c", NULL, "a table of calls, errors and times at the end instead of lines") \
    X(COUNTS_TOO, "-C", NULL, "that table besides the lines") \
    X(QUIET, "-q", NULL, "no lines about the ends of threads") \
    X(JSON, "-json", NULL, "an object in JSON on each line") \
    X(FOLLOW, "-f", NULL, "nothing, by habit: threads and child processes are always shown")

enum {
#define X(NAME, ...) WORD_##NAME,
    WORDS(X)
#undef X
        WORD_COUNT
};

static const struct option_row rows[] = {
#define X(NAME, word, argument, help) {word, argument, NULL, help},
    WORDS(X)
#undef X
};

static const char *const classes[] = {
#define X(name) #name,
    SYSCALL_CLASSES(X)
#undef X
};

void trace_options_init(struct trace_options *o)
{
    *o = (struct trace_options){.string_limit = STRING_LIMIT, .signals = UINT64_MAX};
    memset(o->calls, 0xff, sizeof o->calls);
}

void trace_options_print_man(void) { option_print_man(rows, WORD_COUNT); }

/* --- -e --- */

/* Adds the calls that `name` means: a call, %family, or a family's older name without the percent sign. */
static bool add_calls(uint64_t *set, const char *name, size_t n)
{
    bool percent = n && name[0] == '%', optional = n && name[0] == '?', found = false;
    const char *word = name + (percent || optional);
    size_t length = n - (percent || optional);
    for (int call = 0; call < CALL_COUNT && !percent; call++)
        if (strlen(syscall_calls[call].name) == length && !strncmp(syscall_calls[call].name, word, length)) {
            set[call / 64] |= UINT64_C(1) << (call % 64);
            return true;
        }
    for (unsigned c = 0; c < ARRAY_SIZE(classes); c++)
        if (strlen(classes[c]) == length && !strncmp(classes[c], word, length)) {
            found = true;
            for (int call = 0; call < CALL_COUNT; call++)
                if (syscall_calls[call].classes >> c & 1)
                    set[call / 64] |= UINT64_C(1) << (call % 64);
        }
    return found || optional;
}

static bool add_signal(uint64_t *set, const char *name, size_t n)
{
    const struct flag_set *s = &syscall_abi_riscv64.sets[SET_signal]; /* the same on every generic architecture */
    unsigned skip = n > 3 && !strncmp(name, "SIG", 3) ? 3 : 0;
    for (unsigned i = 0; i < s->nflags; i++)
        if (strlen(s->flags[i].name + 3) == n - skip && !strncmp(s->flags[i].name + 3, name + skip, n - skip)) {
            *set |= UINT64_C(1) << (s->flags[i].value - 1);
            return true;
        }
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (end != name + n || number < 1 || number > 64)
        return false;
    *set |= UINT64_C(1) << (number - 1);
    return true;
}

typedef bool add_name(uint64_t *set, const char *name, size_t n);

/* "a,b", "!a,b", "all", "none" into a set of nwords words. */
static bool read_set(uint64_t *set, unsigned nwords, const char *list, add_name *add, const char *what)
{
    bool inverse = *list == '!';
    list += inverse;
    bool all = !strcmp(list, "all"), none = !strcmp(list, "none");
    memset(set, all ? 0xff : 0, nwords * sizeof *set);
    while (!all && !none && *list) {
        size_t n = strcspn(list, ",");
        if (!add(set, list, n)) {
            report_error("-strace-with -e: %.*s is no %s", (int)n, list, what);
            return false;
        }
        list += n + (list[n] == ',');
    }
    for (unsigned i = 0; i < nwords && inverse; i++)
        set[i] = ~set[i];
    return true;
}

static bool add_status(uint64_t *set, const char *name, size_t n)
{
    static const char *const words[] = {"successful", "failed"};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == n && !strncmp(words[i], name, n)) {
            *set |= UINT64_C(1) << i;
            return true;
        }
    return false;
}

static bool read_expression(struct trace_options *o, const char *e)
{
    size_t n = strcspn(e, "=");
    const char *value = e[n] ? e + n + 1 : e;
    if (e[n] && ((n == 6 && !strncmp(e, "signal", n)) || (n == 1 && *e == 's')))
        return read_set(&o->signals, 1, value, add_signal, "signal");
    if (e[n] && n == 6 && !strncmp(e, "status", n)) {
        uint64_t shown;
        if (!read_set(&shown, 1, value, add_status, "status (successful, failed)"))
            return false;
        o->hide_successful = !(shown & 1);
        o->hide_failed = !(shown & 2);
        return true;
    }
    if (e[n] && !(n == 5 && !strncmp(e, "trace", n)) && !(n == 1 && *e == 't')) {
        report_error("-strace-with -e %s: not trace=, signal= or status=", e);
        return false;
    }
    return read_set(o->calls, ARRAY_SIZE(o->calls), value, add_calls, "system call of these guests, nor a family");
}

/* --- the words --- */

static bool read_limit(struct trace_options *o, const char *value)
{
    uint64_t n;
    if (!option_read_size(value, 1 << 20, &n)) {
        report_error("-strace-with -s %s: not a number of bytes up to 1M", value);
        return false;
    }
    o->string_limit = (unsigned)n;
    return true;
}

static bool apply(struct trace_options *o, int word, const char *value)
{
    switch (word) {
    case WORD_CLOCK: o->clock = TRACE_SECONDS; break;
    case WORD_CLOCK_US: o->clock = TRACE_MICROSECONDS; break;
    case WORD_CLOCK_EPOCH: o->clock = TRACE_EPOCH; break;
    case WORD_RELATIVE: o->relative = true; break;
    case WORD_DURATION: o->duration = true; break;
    case WORD_STRINGS: return read_limit(o, value);
    case WORD_VERBOSE: o->verbose = true; break;
    case WORD_DESCRIPTORS: o->descriptors = true; break;
    case WORD_HEX: o->hex = true; break;
    case WORD_HEX_ALWAYS: o->hex_always = true; break;
    case WORD_FILTER: return read_expression(o, value);
    case WORD_SUCCESSFUL: o->hide_failed = true; break;
    case WORD_FAILED: o->hide_successful = true; break;
    case WORD_COUNTS: o->counts = o->only_counts = true; break;
    case WORD_COUNTS_TOO: o->counts = true; break;
    case WORD_QUIET: o->quiet = true; break;
    case WORD_JSON: o->json = true; break;
    }
    return true;
}

enum trace_words trace_options_read(struct trace_options *o, const char *words)
{
    if (!strcmp(words, "help")) {
        option_print_help(rows, WORD_COUNT);
        printf("Families of calls for -e:");
        for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
            printf(" %%%s", classes[i]);
        printf("\n");
        return TRACE_WORDS_HELP;
    }
    late_relocate(); /* names of signals */
    char *copy = strdup(words), *rest = copy, *argv[MOST_WORDS + 1] = {NULL}, *word;
    CHECK(copy);
    unsigned n = 0;
    while ((word = strsep(&rest, " \t\n")))
        if (*word && n < MOST_WORDS)
            argv[n++] = word;
    struct option_reader reader = {.rows = rows, .nrows = WORD_COUNT, .argv = argv};
    int option;
    bool good = true;
    while (good && (option = option_next(&reader)) >= 0)
        good = apply(o, option, reader.value);
    if (good && option == OPTION_END && argv[reader.at])
        report_error("-strace-with: %s is no option of it (-strace-with help lists them)", argv[reader.at]);
    good = good && option == OPTION_END && !argv[reader.at];
    free(copy);
    return good ? TRACE_WORDS_GOOD : TRACE_WORDS_BAD;
}
