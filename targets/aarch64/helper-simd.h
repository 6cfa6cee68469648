/* Vectors as the C functions of helper-simd*.c see them, and the parts of their first argument (simd_desc()). */
#ifndef TARGETS_AARCH64_HELPER_SIMD_H
#define TARGETS_AARCH64_HELPER_SIMD_H

#include "targets/aarch64/cpu.h"
#include "targets/aarch64/translate-simd.h"

union lanes {
    v128 v;
    uint8_t b[16];
    uint16_t h[8];
    uint32_t s[4];
    uint64_t d[2];
};

static inline uint64_t lane_get(const union lanes *x, unsigned e, unsigned i)
{
    switch (e) {
    case LANE_B: return x->b[i];
    case LANE_H: return x->h[i];
    case LANE_S: return x->s[i];
    default: return x->d[i];
    }
}

static inline void lane_set(union lanes *x, unsigned e, unsigned i, uint64_t value)
{
    switch (e) {
    case LANE_B: x->b[i] = value; break;
    case LANE_H: x->h[i] = value; break;
    case LANE_S: x->s[i] = value; break;
    default: x->d[i] = value; break;
    }
}

static inline unsigned simd_desc_op(uint32_t desc) { return desc & 0xff; }
static inline unsigned simd_desc_e(uint32_t desc) { return desc >> 8 & 0xff; }
static inline unsigned simd_desc_lanes(uint32_t desc) { return desc >> 16 & 0xff; }
static inline unsigned simd_desc_param(uint32_t desc) { return desc >> 24; }

#endif
