/* Bit and integer arithmetic shared by every part. Depends on nothing. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)   (((x) + ((a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define LIKELY(x)        __builtin_expect(!!(x), 1)
#define UNLIKELY(x)      __builtin_expect(!!(x), 0)
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* A 128-bit vector register's content. A GCC vector, so that it travels in one host vector register. */
typedef uint64_t v128 __attribute__((vector_size(16)));

/* Bits [pos, pos + len) of x, zero-extended; 0 < len <= 64, pos + len <= 64. */
static inline uint64_t extract64(uint64_t x, unsigned pos, unsigned len)
{
    return x >> pos & (~UINT64_C(0) >> (64 - len));
}

/* The same, sign-extended. */
static inline int64_t sextract64(uint64_t x, unsigned pos, unsigned len)
{
    return (int64_t)(x << (64 - len - pos)) >> (64 - len);
}

/* x with bits [pos, pos + len) replaced by the low bits of field. */
static inline uint64_t deposit64(uint64_t x, unsigned pos, unsigned len, uint64_t field)
{
    uint64_t mask = (~UINT64_C(0) >> (64 - len)) << pos;
    return (x & ~mask) | (field << pos & mask);
}

static inline uint64_t ror64(uint64_t x, unsigned n) { return n & 63 ? x >> (n & 63) | x << (64 - (n & 63)) : x; }
static inline uint32_t ror32(uint32_t x, unsigned n) { return n & 31 ? x >> (n & 31) | x << (32 - (n & 31)) : x; }

#endif
