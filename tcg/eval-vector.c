/*
 * Vector ops without floating point. Ops that work lane by lane are one small function of the lane's values and its
 * width, listed in the tables; those that move lanes about are written out; cryptography is at the end (FIPS 197, FIPS
 * 180-4).
 */
#include "tcg/eval.h"

static inline uint64_t get(const union ir_value *v, unsigned lane, unsigned i)
{
    switch (lane) {
    case LANE_B: return v->b[i];
    case LANE_H: return v->h[i];
    case LANE_S: return v->s[i];
    default: return v->q[i];
    }
}

static inline void set(union ir_value *v, unsigned lane, unsigned i, uint64_t x)
{
    switch (lane) {
    case LANE_B: v->b[i] = x; break;
    case LANE_H: v->h[i] = x; break;
    case LANE_S: v->s[i] = x; break;
    default: v->q[i] = x; break;
    }
}

static inline int64_t sign(uint64_t x, unsigned bits) { return sextract64(x, 0, bits); }
static inline uint64_t ones(unsigned bits) { return ~UINT64_C(0) >> (64 - bits); }
static inline uint64_t truth(bool b) { return -(uint64_t)b; }

/* Into the range of a lane; 65 bits are enough for every operand. */
static uint64_t saturate_signed(__int128 x, unsigned bits)
{
    __int128 max = ones(bits - 1), min = -max - 1;
    return x > max ? (uint64_t)max : x < min ? (uint64_t)min : (uint64_t)x;
}

static uint64_t saturate_unsigned(__int128 x, unsigned bits)
{
    __int128 max = ones(bits);
    return x > max ? (uint64_t)max : x < 0 ? 0 : (uint64_t)x;
}

/* --- two lanes in, one out: a and b zero-extended; the result is cut to the lane --- */

typedef uint64_t lane2_fn(uint64_t a, uint64_t b, unsigned bits);
#define LANE2(name, expr)                                                     \
    static uint64_t name(uint64_t a, uint64_t b, unsigned bits)               \
    {                                                                         \
        __attribute__((unused)) const int64_t sa = sign(a, bits), sb = sign(b, bits); \
        return expr;                                                          \
    }
LANE2(add, a + b)
LANE2(sub, a - b)
LANE2(mul, a * b)
LANE2(umin, a < b ? a : b)
LANE2(umax, a > b ? a : b)
LANE2(smin, sa < sb ? a : b)
LANE2(smax, sa > sb ? a : b)
LANE2(uqadd, saturate_unsigned((__int128)a + b, bits))
LANE2(sqadd, saturate_signed((__int128)sa + sb, bits))
LANE2(uqsub, saturate_unsigned((__int128)a - b, bits))
LANE2(sqsub, saturate_signed((__int128)sa - sb, bits))
LANE2(uhadd, ((unsigned __int128)a + b) >> 1)
LANE2(urhadd, ((unsigned __int128)a + b + 1) >> 1)
LANE2(cmpeq, truth(a == b))
LANE2(cmpgts, truth(sa > sb))
LANE2(cmpgtu, truth(a > b))
LANE2(cmpges, truth(sa >= sb))
LANE2(cmpgeu, truth(a >= b))
LANE2(abdu, a > b ? a - b : b - a)
LANE2(abds, sa > sb ? a - b : b - a)

/* Shift left by a signed byte; to the right by -n when n < 0, any distance. */
static uint64_t ushl(uint64_t a, uint64_t b, unsigned bits)
{
    int n = (int8_t)b;
    if (n >= (int)bits || n <= -(int)bits)
        return 0;
    return n >= 0 ? a << n : a >> -n;
}

static uint64_t sshl(uint64_t a, uint64_t b, unsigned bits)
{
    int n = (int8_t)b;
    if (n >= (int)bits)
        return 0;
    return n >= 0 ? a << n : (uint64_t)(sign(a, bits) >> (n > -(int)bits ? -n : (int)bits - 1));
}

static lane2_fn *const lane2[IR_OP_COUNT] = {
    [IR_VADD] = add,       [IR_VSUB] = sub,       [IR_VMUL] = mul,       [IR_VUMIN] = umin,     [IR_VUMAX] = umax,
    [IR_VSMIN] = smin,     [IR_VSMAX] = smax,     [IR_VUQADD] = uqadd,   [IR_VSQADD] = sqadd,   [IR_VUQSUB] = uqsub,
    [IR_VSQSUB] = sqsub,   [IR_VUHADD] = uhadd,   [IR_VURHADD] = urhadd, [IR_VCMPEQ] = cmpeq,   [IR_VCMPGTS] = cmpgts,
    [IR_VCMPGTU] = cmpgtu, [IR_VCMPGES] = cmpges, [IR_VCMPGEU] = cmpgeu, [IR_VABDU] = abdu,     [IR_VABDS] = abds,
    [IR_VUSHL] = ushl,     [IR_VSSHL] = sshl,
};

/* --- one lane and the immediate in, one out --- */

typedef uint64_t lane1_fn(uint64_t a, unsigned imm, unsigned bits);
#define LANE1(name, expr)                                         \
    static uint64_t name(uint64_t a, unsigned imm, unsigned bits) \
    {                                                             \
        return expr;                                              \
    }
LANE1(neg, -a)
LANE1(absolute, sign(a, bits) < 0 ? -a : a)
LANE1(shli, a << imm)
LANE1(ushri, imm < bits ? a >> imm : 0)
LANE1(sshri, sign(a, bits) >> (imm < bits ? imm : bits - 1))

static lane1_fn *const lane1[IR_OP_COUNT] = {
    [IR_VNEG] = neg, [IR_VABS] = absolute, [IR_VSHLI] = shli, [IR_VUSHRI] = ushri, [IR_VSSHRI] = sshri,
};

/* --- one lane in, another size out: a zero-extended, bits its width --- */

typedef uint64_t resize_fn(uint64_t a, unsigned bits);
#define RESIZE(name, expr)                          \
    static uint64_t name(uint64_t a, unsigned bits) \
    {                                               \
        return expr;                                \
    }
RESIZE(cut, a)
RESIZE(extend, sign(a, bits))
RESIZE(sqcut, saturate_signed(sign(a, bits), bits / 2))
RESIZE(uqcut, saturate_unsigned(a, bits / 2))
RESIZE(sqcutu, saturate_unsigned(sign(a, bits), bits / 2))

static resize_fn *const narrow[IR_OP_COUNT] = {
    [IR_VNARROW] = cut, [IR_VSQNARROW] = sqcut, [IR_VUQNARROW] = uqcut, [IR_VSQNARROWU] = sqcutu,
};
/* Ops whose lanes become twice as wide first: signed or not. */
static resize_fn *const widen[IR_OP_COUNT] = {
    [IR_VUWIDEN] = cut,   [IR_VSWIDEN] = extend,  [IR_VUMULL] = cut,
    [IR_VSMULL] = extend, [IR_VUADDLP] = cut,     [IR_VSADDLP] = extend,
};

/* --- AES (FIPS 197): the state is column by column, byte 4c + r --- */

static uint8_t xtime(uint8_t x) { return x << 1 ^ (x & 0x80 ? 0x1b : 0); }

static uint8_t gf_mul(uint8_t x, uint8_t y)
{
    uint8_t r = 0;
    for (; y; y >>= 1, x = xtime(x))
        if (y & 1)
            r ^= x;
    return r;
}

/* SubBytes: the inverse in GF(2^8), x^254, then the affine map (FIPS 197, 5.1.1). */
static uint8_t sub_byte(uint8_t x)
{
    uint8_t inverse = 1, square = x;
    for (int i = 1; i < 8; i++) {
        square = gf_mul(square, square);
        inverse = gf_mul(inverse, square);
    }
    uint16_t twice = inverse * 0x101;
    return inverse ^ twice >> 7 ^ twice >> 6 ^ twice >> 5 ^ twice >> 4 ^ 0x63;
}

static uint8_t inv_sub_byte(uint8_t x)
{
    uint16_t twice = x * 0x101;
    uint8_t y = twice >> 7 ^ twice >> 5 ^ twice >> 2 ^ 0x05, inverse = 1, square = y;
    for (int i = 1; i < 8; i++) {
        square = gf_mul(square, square);
        inverse = gf_mul(inverse, square);
    }
    return inverse;
}

/* FIPS 180-4, 6.2.2 step 3, twice. c and d are followed by the old a and b, g and h by e and f: callers have them. */
static void sha256_rounds(const union ir_value *hgdc, const union ir_value *feba, const union ir_value *wk,
                          union ir_value *out)
{
    uint32_t a = feba->s[3], b = feba->s[2], c = hgdc->s[3], d = hgdc->s[2];
    uint32_t e = feba->s[1], f = feba->s[0], g = hgdc->s[1], h = hgdc->s[0];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t t1 = h + (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25)) + ((e & f) ^ (~e & g)) + wk->s[i];
        uint32_t t2 = (ror32(a, 2) ^ ror32(a, 13) ^ ror32(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    out->s[3] = a, out->s[2] = b, out->s[1] = e, out->s[0] = f;
}

static void aes_round(const union ir_value *a, const union ir_value *b, bool decrypt, union ir_value *out)
{
    for (unsigned c = 0; c < 4; c++)
        for (unsigned r = 0; r < 4; r++) {
            unsigned from = 4 * ((decrypt ? c + 4 - r : c + r) % 4) + r;
            uint8_t x = a->b[from] ^ b->b[from];
            out->b[4 * c + r] = decrypt ? inv_sub_byte(x) : sub_byte(x);
        }
}

static void mix_columns(const union ir_value *a, const uint8_t row[4], union ir_value *out)
{
    for (unsigned c = 0; c < 4; c++)
        for (unsigned r = 0; r < 4; r++) {
            uint8_t x = 0;
            for (unsigned k = 0; k < 4; k++)
                x ^= gf_mul(a->b[4 * c + (r + k) % 4], row[k]);
            out->b[4 * c + r] = x;
        }
}

/* --- */

bool ir_eval_vector(const struct ir_inst *in, const union ir_value *const *arg, union ir_value *out)
{
    const union ir_value *a = arg[0], *b = arg[1];
    const unsigned lane = in->ir_lane_, bits = 8 << lane, n = 16 >> lane, wide = (lane + 1) & 3;
    const unsigned imm = in->imm;
    union ir_value r = {0};

    if (lane2[in->op]) {
        for (unsigned i = 0; i < n; i++)
            set(&r, lane, i, lane2[in->op](get(a, lane, i), get(b, lane, i), bits));
        *out = r;
        return true;
    }
    if (lane1[in->op]) {
        for (unsigned i = 0; i < n; i++)
            set(&r, lane, i, lane1[in->op](get(a, lane, i), imm, bits));
        *out = r;
        return true;
    }
    if (narrow[in->op]) {
        for (unsigned i = 0; i < n; i++) {
            set(&r, lane - 1, i, narrow[in->op](get(a, lane, i), bits));
            set(&r, lane - 1, n + i, narrow[in->op](get(b, lane, i), bits));
        }
        *out = r;
        return true;
    }

    switch (in->op) {
    case IR_VLOW: r.q[0] = in->type == IR_I32 || in->type == IR_F32 ? a->s[0] : a->q[0]; break;
    case IR_VZEXT: r.q[0] = a->q[0]; break;
    case IR_VDUP:
        for (unsigned i = 0; i < n; i++)
            set(&r, lane, i, a->q[0]);
        break;
    case IR_VDUPL:
        for (unsigned i = 0; i < n; i++)
            set(&r, lane, i, get(a, lane, imm));
        break;
    case IR_VGET:
        r.q[0] = get(a, lane, imm);
        if (in->ir_sub)
            r.q[0] = in->type == IR_I32 ? (uint32_t)sign(r.q[0], bits) : (uint64_t)sign(r.q[0], bits);
        if (in->type == IR_I32)
            r.q[0] = (uint32_t)r.q[0];
        break;
    case IR_VSET:
        r = *a;
        set(&r, lane, imm, b->q[0]);
        break;
    case IR_VSETL:
        r = *a;
        set(&r, lane, imm, get(b, lane, in->imm2));
        break;
    case IR_VLO64: r.q[0] = a->q[0]; break;
    case IR_VHI64: r.q[0] = a->q[1]; break;
    case IR_VCAT64:
        r.q[0] = a->q[0];
        r.q[1] = b->q[0];
        break;
    case IR_VEXT:
        for (unsigned i = 0; i < 16; i++)
            r.b[i] = i + imm < 16 ? a->b[i + imm] : b->b[i + imm - 16];
        break;
    case IR_VZIP1:
    case IR_VZIP2:
        for (unsigned i = 0; i < n / 2; i++) {
            unsigned from = i + (in->op == IR_VZIP2 ? n / 2 : 0);
            set(&r, lane, 2 * i, get(a, lane, from));
            set(&r, lane, 2 * i + 1, get(b, lane, from));
        }
        break;
    case IR_VUZP1:
    case IR_VUZP2:
        for (unsigned i = 0; i < n; i++) {
            unsigned from = 2 * i + (in->op == IR_VUZP2);
            set(&r, lane, i, from < n ? get(a, lane, from) : get(b, lane, from - n));
        }
        break;
    case IR_VTRN1:
    case IR_VTRN2:
        for (unsigned i = 0; i < n; i += 2) {
            unsigned from = i + (in->op == IR_VTRN2);
            set(&r, lane, i, get(a, lane, from));
            set(&r, lane, i + 1, get(b, lane, from));
        }
        break;
    case IR_VTBL:
        for (unsigned i = 0; i < 16; i++)
            r.b[i] = b->b[i] < 16 ? a->b[b->b[i]] : 0;
        break;
    case IR_VREV: {
        unsigned per = imm >> lane; /* lanes in a group, a power of two */
        for (unsigned i = 0; i < n; i++)
            set(&r, lane, i, get(a, lane, i ^ (per - 1)));
        break;
    }
    case IR_VAND: r.v = a->v & b->v; break;
    case IR_VOR: r.v = a->v | b->v; break;
    case IR_VXOR: r.v = a->v ^ b->v; break;
    case IR_VANDN: r.v = a->v & ~b->v; break;
    case IR_VNOT: r.v = ~a->v; break;
    case IR_VBSL: r.v = (a->v & b->v) | (~a->v & arg[2]->v); break;
    case IR_VUWIDEN:
    case IR_VSWIDEN:
        for (unsigned i = 0; i < n / 2; i++)
            set(&r, wide, i, widen[in->op](get(a, lane, i), bits));
        break;
    case IR_VUMULL:
    case IR_VSMULL:
        for (unsigned i = 0; i < n / 2; i++)
            set(&r, wide, i, widen[in->op](get(a, lane, i), bits) * widen[in->op](get(b, lane, i), bits));
        break;
    case IR_VUADDLP:
    case IR_VSADDLP:
        for (unsigned i = 0; i < n / 2; i++)
            set(&r, wide, i,
                widen[in->op](get(a, lane, 2 * i), bits) + widen[in->op](get(a, lane, 2 * i + 1), bits));
        break;
    case IR_VPADD:
        for (unsigned i = 0; i < n / 2; i++) {
            set(&r, lane, i, get(a, lane, 2 * i) + get(a, lane, 2 * i + 1));
            set(&r, lane, n / 2 + i, get(b, lane, 2 * i) + get(b, lane, 2 * i + 1));
        }
        break;
    case IR_VCNT:
        for (unsigned i = 0; i < 16; i++)
            r.b[i] = __builtin_popcount(a->b[i]);
        break;
    case IR_VTEST: r.q[0] = (a->q[0] | a->q[1]) != 0; break;
    case IR_VMASK:
        for (unsigned i = 0; i < n; i++)
            r.q[0] |= (get(a, lane, i) >> (bits - 1)) << i;
        break;
    case IR_VFNEG:
    case IR_VFABS:
        for (unsigned i = 0; i < n; i++) {
            uint64_t top = UINT64_C(1) << (bits - 1), x = get(a, lane, i);
            set(&r, lane, i, in->op == IR_VFNEG ? x ^ top : x & ~top);
        }
        break;
    case IR_AESENC:
    case IR_AESDEC: aes_round(a, b, in->op == IR_AESDEC, &r); break;
    case IR_AESMC: mix_columns(a, (const uint8_t[]){2, 3, 1, 1}, &r); break;
    case IR_AESIMC: mix_columns(a, (const uint8_t[]){14, 11, 13, 9}, &r); break;
    case IR_CLMUL64:
        for (unsigned i = 0; i < 64; i++)
            if (b->q[0] >> i & 1) {
                r.q[0] ^= a->q[0] << i;
                r.q[1] ^= i ? a->q[0] >> (64 - i) : 0;
            }
        break;
    case IR_SHA256RNDS2: sha256_rounds(a, b, arg[2], &r); break;
    case IR_SHA256MSG1:
        for (unsigned i = 0; i < 4; i++) {
            uint32_t w = i < 3 ? a->s[i + 1] : b->s[0];
            r.s[i] = a->s[i] + (ror32(w, 7) ^ ror32(w, 18) ^ w >> 3);
        }
        break;
    case IR_SHA256MSG2:
        for (unsigned i = 0; i < 4; i++) {
            uint32_t w = i < 2 ? b->s[i + 2] : r.s[i - 2];
            r.s[i] = a->s[i] + (ror32(w, 17) ^ ror32(w, 19) ^ w >> 10);
        }
        break;
    default: return false;
    }
    *out = r;
    return true;
}
