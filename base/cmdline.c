/* Options as a table: see cmdline.h. */
#include "base/cmdline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* The row's word is the first n characters of the argument's, or all but its second dash. */
static bool is_word(const char *row, const char *arg, size_t n)
{
    if (strlen(row) == n && !strncmp(row, arg, n))
        return true;
    return n > 2 && arg[0] == '-' && arg[1] == '-' && strlen(row) == n - 1 && !strncmp(row, arg + 1, n - 1);
}

static unsigned find(const struct option_reader *r, const char *arg, size_t n)
{
    unsigned i;
    for (i = 0; i < r->nrows; i++)
        if (is_word(r->rows[i].word, arg, n))
            break;
    return i;
}

int option_next(struct option_reader *r)
{
    const char *arg = r->argv[r->at];
    if (!arg || arg[0] != '-' || !arg[1])
        return OPTION_END;
    if (!strcmp(arg, "--")) {
        r->at++;
        return OPTION_END;
    }
    const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
    unsigned i = find(r, arg, equals ? (size_t)(equals - arg) : strlen(arg));
    if (i == r->nrows) {
        report_error("unknown option %s (-h lists them)", arg);
        return OPTION_BAD;
    }
    const char *wanted = r->rows[i].argument;
    r->value = equals ? equals + 1 : NULL;
    r->at++;
    if (!wanted && equals) {
        report_error("option %s takes no argument", r->rows[i].word);
        return OPTION_BAD;
    }
    if (wanted && wanted[0] != '[' && !equals) {
        if (!(r->value = r->argv[r->at])) {
            report_error("option %s needs an argument: %s", arg, wanted);
            return OPTION_BAD;
        }
        r->at++;
    }
    return (int)i;
}

/* "--persist[=how]", "-L folder" */
static void left_side(const struct option_row *row, char *out, size_t size)
{
    const char *a = row->argument ? row->argument : "";
    snprintf(out, size, "%s%s%s", row->word, *a && *a != '[' ? " " : "", a);
}

void option_print_help(const struct option_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char left[64];
        left_side(&rows[i], left, sizeof left);
        printf("  %-22s %s%s%s%s\n", left, rows[i].help, rows[i].environment ? " [" : "",
               rows[i].environment ? rows[i].environment : "", rows[i].environment ? "]" : "");
    }
}

void roff_print(const char *s)
{
    bool line_start = true;
    for (; *s; s++) {
        if (*s == '-')
            putchar('\\');
        else if (line_start && (*s == '.' || *s == '\''))
            fputs("\\&", stdout);
        putchar(*s);
        line_start = *s == '\n';
    }
}

void option_print_man(const struct option_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const char *argument = rows[i].argument;
        printf(".TP\n\\fB");
        roff_print(rows[i].word);
        printf("\\fR");
        if (argument) {
            printf(*argument == '[' ? "\\fI" : " \\fI");
            roff_print(argument);
            printf("\\fR");
        }
        printf("\n");
        roff_print(rows[i].help);
        if (rows[i].environment)
            printf(" (%s)", rows[i].environment);
        printf("\n");
    }
}

bool option_read_size(const char *value, uint64_t most, uint64_t *bytes)
{
    static const char units[] = "kKmMgG";
    char *end;
    errno = 0;
    uint64_t n = strtoull(value, &end, 0);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(1 + (unit - units) / 2) : 0;
    *bytes = n << shift;
    return !errno && end != value && *value != '-' && (!*end || (unit && !end[1])) && n <= most >> shift;
}
