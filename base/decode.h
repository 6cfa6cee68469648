/* The bit pictures of a decoder table as data: for tests, coverage reports, fuzzers and documentation. */
#ifndef BASE_DECODE_H
#define BASE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/* A word w is this pattern when (w & mask) == value, unless an earlier pattern of its group takes it. */
struct decode_pattern {
    const char *name;    /* the manual's name and form: ADD_imm */
    const char *chapter; /* heading of the table it stands under */
    uint32_t mask, value;
};

#endif
