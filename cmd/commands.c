/* The list of subcommands, and what is generated from it: see command.h. */
#include "cmd/command.h"

#include <stdio.h>
#include <string.h>

#include "exec/target.h"
#include "linux-user/abi.h"

const struct command *const commands[] = {
    &command_binfmt,
    &command_cache,
    &command_doctor,
    &command_run,
    NULL,
};

const struct command *command_find(const char *word)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!strcmp((*c)->name, word))
            return *c;
    return NULL;
}

const struct target *command_arch(const char *word)
{
    for (const struct linux_abi *const *abi = linux_abis; *abi; abi++)
        if (!strcmp((*abi)->target->name, word) || !strcmp((*abi)->debian, word))
            return (*abi)->target;
    return NULL;
}

void command_print_help(const struct command *c)
{
    printf("usage: metic %s %s\n%s\n\n", c->name, c->synopsis, c->summary);
    option_print_help(c->options, c->noptions);
}

void commands_print_help(void)
{
    for (const struct command *const *c = commands; *c; c++)
        printf("  metic %-16s %s\n", (*c)->name, (*c)->summary);
}

void commands_print_man(void)
{
    for (const struct command *const *c = commands; *c; c++) {
        printf(".SS metic %s ", (*c)->name);
        roff_print((*c)->synopsis);
        printf("\n");
        roff_print((*c)->summary);
        printf("\n");
        for (const char *p = (*c)->description; *p;) {
            const char *end = strchr(p, '\n');
            int n = end ? (int)(end - p) : (int)strlen(p);
            char line[1024];
            snprintf(line, sizeof line, "%.*s", n, p);
            printf(".PP\n");
            roff_print(line);
            printf("\n");
            p += n + (end != NULL);
        }
        option_print_man((*c)->options, (*c)->noptions);
    }
}

static void print_words(const struct option_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        printf(" %s", rows[i].word);
}

void commands_print_completion(const struct option_row *options, unsigned noptions)
{
    printf("# bash completion for metic\n_metic() {\n    local words\n    case ${COMP_CWORD}:${COMP_WORDS[1]} in\n    "
           "1:*) words=\"");
    for (const struct command *const *c = commands; *c; c++)
        printf("%s ", (*c)->name);
    print_words(options, noptions);
    printf("\" ;;\n");
    for (const struct command *const *c = commands; *c; c++) {
        printf("    *:%s) words=\"%s", (*c)->name, (*c)->words);
        print_words((*c)->options, (*c)->noptions);
        printf("\" ;;\n");
    }
    printf("    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o "
           "default -F _metic metic\n");
}
