/* What `metic doctor` collects: findings, each with what to do about it. */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include <stdbool.h>

enum finding_level { FINDING_GOOD, FINDING_NOTE, FINDING_BAD };

struct doctor {
    bool json;
    unsigned nfindings, nbad;
};

/* One finding, printed at once. check: a word for programs; fix: a clause, "" if nothing is to be done. */
void finding(struct doctor *d, enum finding_level level, const char *check, const char *fix, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* A folder that is to become a root, or a program: its mount, its loader, its libraries. */
void examine_path(struct doctor *d, const char *path);

#endif
