/*
 * What -strace shows, in the words of strace(1): the option -strace-with and METIC_STRACE hold them. One table
 * (trace-options.c) gives the words, their help and the manual page.
 */
#ifndef LINUX_USER_TRACE_OPTIONS_H
#define LINUX_USER_TRACE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "syscall-tables/tables.h"

enum trace_clock { TRACE_NO_CLOCK, TRACE_SECONDS, TRACE_MICROSECONDS, TRACE_EPOCH };

struct trace_options {
    unsigned string_limit; /* bytes of a string that are shown */
    enum trace_clock clock;
    bool relative, duration; /* time since the last line, time inside the call */
    bool verbose, descriptors, hex, hex_always, json, counts, quiet;
    bool only_counts; /* no lines */
    bool hide_successful, hide_failed;
    uint64_t signals;                    /* bit signo - 1: shown */
    uint64_t calls[CALL_COUNT / 64 + 1]; /* by enum syscall_call: shown */
};

enum trace_words { TRACE_WORDS_GOOD, TRACE_WORDS_HELP, TRACE_WORDS_BAD };

/* What -strace alone means. */
void trace_options_init(struct trace_options *o);
/* "-tt -e trace=%file" on top of what is in *o. HELP: "help", which was printed; BAD: the mistake was reported. */
enum trace_words trace_options_read(struct trace_options *o, const char *words);
/* The words as tagged paragraphs of a manual page, on stdout. */
void trace_options_print_man(void);

static inline bool trace_shows(const struct trace_options *o, int call)
{
    return o->calls[call / 64] >> (call % 64) & 1;
}

#endif
