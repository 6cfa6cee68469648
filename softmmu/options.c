/* Taking the text of an option apart: see options.h. */
#define _GNU_SOURCE
#include "softmmu/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the part at p with a zero, its doubled commas made single. Returns the next part; NULL: that was the last. */
static char *end_part(char *p)
{
    char *to = p;
    for (; *p; *to++ = *p++) {
        if (*p != ',')
            continue;
        if (p[1] != ',') {
            *to = 0;
            return p + 1;
        }
        p++;
    }
    *to = 0;
    return NULL;
}

char *options_parse(struct options *o, const char *text, const char *implied)
{
    *o = (struct options){.text = strdup(text)};
    char *line = NULL;
    for (char *p = o->text, *next; p && *p; p = next) {
        next = end_part(p);
        char *equals = strchr(p, '=');
        struct option_part part = {p, "on"};
        if (equals) {
            *equals = 0;
            part.value = equals + 1;
        } else if (implied && p == o->text) {
            part = (struct option_part){implied, p};
        } else if (!strncmp(p, "no", 2) && p[2]) {
            part = (struct option_part){p + 2, "off"};
        }
        if (o->n == OPTIONS_MAX) {
            if (asprintf(&line, "'%s' has more than %d parts", text, OPTIONS_MAX) < 0)
                abort();
            break;
        }
        o->part[o->n++] = part;
    }
    return line;
}

void options_free(struct options *o)
{
    free(o->text);
    o->text = NULL;
    o->n = 0;
}

const char *options_nth(struct options *o, const char *key, unsigned n)
{
    for (unsigned i = 0; i < o->n; i++)
        if (!strcmp(o->part[i].key, key) && !n--) {
            o->part[i].taken = true;
            return o->part[i].value;
        }
    return NULL;
}

const char *options_get(struct options *o, const char *key)
{
    const char *value = NULL, *v;
    for (unsigned i = 0; (v = options_nth(o, key, i)); i++)
        value = v;
    return value;
}

bool options_number(struct options *o, const char *key, uint64_t unset, uint64_t *out)
{
    const char *value = options_get(o, key);
    *out = unset;
    if (!value)
        return true;
    char *end;
    errno = 0;
    *out = strtoull(value, &end, 0);
    return *value >= '0' && *value <= '9' && !*end && !errno;
}

bool options_bool(struct options *o, const char *key, bool unset, bool *out)
{
    const char *value = options_get(o, key);
    *out = value ? !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true") : unset;
    return !value || *out || !strcmp(value, "off") || !strcmp(value, "no") || !strcmp(value, "false");
}

const char *options_unknown(const struct options *o)
{
    for (unsigned i = 0; i < o->n; i++)
        if (!o->part[i].taken)
            return o->part[i].key;
    return NULL;
}
