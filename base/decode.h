/* The bit pictures of a decoder table as data: for tests, coverage reports, fuzzers and documentation. */
#ifndef BASE_DECODE_H
#define BASE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/* The words w with (w & mask) == value. */
struct decode_bits {
    uint32_t mask, value;
};

/*
 * A word is this pattern when it is among `bits` and in none of `excluded`. No word is of two patterns, except inside
 * a group, where the first whose handler accepts it takes it.
 */
struct decode_pattern {
    const char *name;    /* the manual's name and form: ADD_imm */
    const char *chapter; /* heading of the table it stands under */
    int group;           /* ordered group, or -1 */
    struct decode_bits bits;
    unsigned nexcluded;
    const struct decode_bits *excluded;
};

static inline bool decode_matches(const struct decode_pattern *p, uint32_t word)
{
    if ((word & p->bits.mask) != p->bits.value)
        return false;
    for (unsigned i = 0; i < p->nexcluded; i++)
        if ((word & p->excluded[i].mask) == p->excluded[i].value)
            return false;
    return true;
}

#endif
