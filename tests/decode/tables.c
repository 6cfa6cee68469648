/* The decoder tables of every guest, as data. */
#include "tests/decode/tables.h"

/* Declared here: the headers of two guests define the same argument names. */
#define TABLE(name)                                     \
    extern const struct decode_pattern name##_patterns[]; \
    extern const unsigned name##_npatterns;
TABLE(a64)
TABLE(rv)
TABLE(rvc)

static unsigned always_32(uint32_t word)
{
    return 32;
}

static unsigned compressed(uint32_t word)
{
    return (word & 3) == 3 ? 32 : 16;
}

const struct decode_arch decode_archs[] = {
    {"aarch64", always_32, (const struct decode_table[]){{32, a64_patterns, &a64_npatterns}, {0}}},
    {"riscv64", compressed,
     (const struct decode_table[]){{32, rv_patterns, &rv_npatterns}, {16, rvc_patterns, &rvc_npatterns}, {0}}},
    {0},
};
