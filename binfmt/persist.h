/*
 * Registrations that come back after a restart: systemd's binfmt.d(5), Debian's update-binfmts(8). Both are given the
 * same entry that the kernel gets.
 */
#ifndef BINFMT_PERSIST_H
#define BINFMT_PERSIST_H

#include <stdio.h>

#include "binfmt/register.h"

/* X(NAME, word, help): the forms an entry can be written in. */
#define BINFMT_FORMS(X)                                                                                                \
    X(KERNEL, "kernel", "lines for " BINFMT_FOLDER "/register")                                                        \
    X(SYSTEMD, "systemd", "files for /usr/lib/binfmt.d, see binfmt.d(5)")                                              \
    X(DEBIAN, "debian", "files for /usr/share/binfmts, see update-binfmts(8)")

enum binfmt_form {
#define X(NAME, word, help) BINFMT_##NAME,
    BINFMT_FORMS(X)
#undef X
        BINFMT_FORM_COUNT
};

/* The form of that name; BINFMT_FORM_COUNT: none. */
enum binfmt_form binfmt_form(const char *word);
/* What this machine starts registrations from: SYSTEMD, DEBIAN, or BINFMT_FORM_COUNT: neither. */
enum binfmt_form persist_form(void);
/* The entry in that form. */
void persist_print(enum binfmt_form form, const struct binfmt_entry *e, FILE *out);
/* Makes the entry come back at every start (not KERNEL); `where` is then the file that does it. 0 or -errno. */
int persist_add(enum binfmt_form form, const struct binfmt_entry *e, char where[PATH_MAX]);
/* Undoes it, in whatever form it was made. 1: removed, `where` tells what; 0: there was nothing; -errno. */
int persist_remove(const char *name, char where[PATH_MAX]);

#endif
