/*
 * Subcommands: `metic binfmt`, `metic doctor`, `metic run`. The first word after metic is one when it is its exact
 * name; a program of that name is run as `metic ./NAME` or `metic -- NAME`. A program that the kernel hands over
 * through binfmt_misc is never taken for one, nor is the first word after qemu-<arch> or metic-<arch>.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "base/cmdline.h"

struct target;

struct command {
    const char *name;        /* its word */
    const char *synopsis;    /* what follows the word */
    const char *words;       /* of which one may come next, for completion; "": file names */
    const char *summary;     /* a sentence */
    const char *description; /* paragraphs for the manual page, each of one line, separated by newlines */
    const struct option_row *options;
    unsigned noptions;
    int (*run)(int argc, char **argv); /* argv[0] is the word; answers the exit code */
};

extern const struct command command_binfmt, command_cache, command_doctor, command_run;
extern const struct command *const commands[]; /* NULL-terminated: commands.c */

const struct command *command_find(const char *word); /* NULL: none */
/* A guest by metic's or by Debian's and the container world's name; NULL: none. */
const struct target *command_arch(const char *word);
/* `metic WORD --help` */
void command_print_help(const struct command *c);
/* One line for each command, for the help of metic itself. */
void commands_print_help(void);
/* The manual page's section on commands. */
void commands_print_man(void);

/* A script for bash that completes options, given metic's own, and commands. */
void commands_print_completion(const struct option_row *options, unsigned noptions);

/* The row every command's table has. */
#define HELP_ROW {"-help", NULL, NULL, "print this text"}

enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

#endif
