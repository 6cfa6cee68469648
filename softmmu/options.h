/*
 * The text of an option with parts, as -device, -drive, -netdev and -chardev have it: `word,key=value,flag,…`. The
 * first part without '=' is the value of an implied key; a part without '=' after it is a flag that is on, and with
 * "no" before its name one that is off. Two commas in a value are one comma of it. Keys may repeat.
 */
#ifndef SOFTMMU_OPTIONS_H
#define SOFTMMU_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { OPTIONS_MAX = 64 };

struct options {
    unsigned n;
    struct option_part {
        const char *key, *value;
        bool taken; /* somebody asked for it */
    } part[OPTIONS_MAX];
    char *text;
};

/* `implied`: key of the first part, or NULL. Returns NULL, or one line to be freed; options_free() in both cases. */
char *options_parse(struct options *o, const char *text, const char *implied);
void options_free(struct options *o);
/* The value of the last part with the key; NULL: none. Valid until options_free(). */
const char *options_get(struct options *o, const char *key);
/* The value of the n-th part with the key, from 0; NULL: no more. */
const char *options_nth(struct options *o, const char *key, unsigned n);
/* The value as a number (decimal, octal, hexadecimal) or a truth; `unset` without one. False: it is neither. */
bool options_number(struct options *o, const char *key, uint64_t unset, uint64_t *out);
bool options_bool(struct options *o, const char *key, bool unset, bool *out);
/* The first key nobody asked for: a mistake of the user's; NULL: none. */
const char *options_unknown(const struct options *o);

#endif
