/*
 * Options of a command line as a table: the reader, the help and the manual page all follow it. Documentation: man(7).
 */
#ifndef BASE_CMDLINE_H
#define BASE_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

struct option_row {
    const char *word;        /* "-L", "--persist"; the user may double a single dash */
    const char *argument;    /* its name; NULL: none; in brackets: optional, then only as --word=argument */
    const char *environment; /* variables that stand for it, separated by blanks; NULL: none */
    const char *help;        /* a clause without a full stop */
};

/*
 * Of a list OPTIONS(X) with rows X(NAME, word, argument, help): `enum option { OPTIONS(OPTION_NUMBER) … };` and
 * `rows[] = { OPTIONS(OPTION_ROW) … };` are in the same order.
 */
#define OPTION_NUMBER(NAME, ...) OPT_##NAME,
#define OPTION_ROW(NAME, word, argument, help) {word, argument, NULL, help},

enum { OPTION_END = -1, OPTION_BAD = -2 };

struct option_reader {
    const struct option_row *rows;
    unsigned nrows;
    char **argv;       /* NULL-terminated */
    int at;            /* index of the next word */
    const char *value; /* of the option just read; NULL: none */
};

/*
 * The row of the next option; OPTION_END before the first word that is none ("--" is skipped; `at` tells); OPTION_BAD:
 * the mistake was reported.
 */
int option_next(struct option_reader *r);
/* A number of bytes, or with K, M, G. False: it is none, or more than `most`. */
bool option_read_size(const char *value, uint64_t most, uint64_t *bytes);
/* The rows as lines of a help text, on stdout. */
void option_print_help(const struct option_row *rows, unsigned n);
/* The rows as tagged paragraphs of a manual page, on stdout. */
void option_print_man(const struct option_row *rows, unsigned n);
/* Text with man(7)'s own characters escaped, on stdout. */
void roff_print(const char *text);

#endif
