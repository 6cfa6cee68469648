/* The decoder tables of every guest, as data. */
#include "tests/decode/tables.h"

#include "targets/aarch64/a64-decode.h"

static unsigned always_32(uint32_t word)
{
    return 32;
}

const struct decode_arch decode_archs[] = {
    {"aarch64", always_32, (const struct decode_table[]){{32, a64_patterns, &a64_npatterns}, {0}}},
    {0},
};
