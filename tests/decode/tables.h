/* The decoder tables of every guest, as data. */
#ifndef TESTS_DECODE_TABLES_H
#define TESTS_DECODE_TABLES_H

#include "base/decode.h"

struct decode_table {
    unsigned width; /* bits of its words */
    const struct decode_pattern *patterns;
    const unsigned *npatterns;
};

struct decode_arch {
    const char *name;                     /* of its struct target */
    unsigned (*width_of)(uint32_t word);  /* bits of the instruction that starts with the word */
    const struct decode_table *tables;    /* ends with a row without patterns */
};

extern const struct decode_arch decode_archs[]; /* ends with a row without a name */

#endif
