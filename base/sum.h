/*
 * Checksums and hashes of bytes, at memory speed and without processor features: lanes of multiplication and rotation.
 * They find damage and tell things apart; they withstand no adversary.
 */
#ifndef BASE_SUM_H
#define BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

enum { SUM_BLOCK = 64 };

struct sum {
    uint64_t lane[SUM_BLOCK / 8];
};

void sum_begin(struct sum *s);
/* bytes: a multiple of SUM_BLOCK. */
void sum_add(struct sum *s, const void *p, size_t bytes);
/* Never the same after a change that is confined to one aligned word of 8 bytes. */
uint64_t sum_end(const struct sum *s);

/* Of any number of bytes. */
uint64_t hash_bytes(uint64_t seed, const void *p, size_t bytes);

#endif
