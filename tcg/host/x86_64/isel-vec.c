/* Vector ops on SSE4.2, with AVX's three-operand forms where the processor has them. */
#include "base/softfloat.h"
#include "tcg/host/x86_64/gen.h"

#define P (OP_66 | OP_0F)
#define P38 (OP_66 | OP_38)
#define P3A (OP_66 | OP_3A)
enum { X = XMM0 + XSCRATCH };

/* Ops that are one instruction, by lane. */
static const uint16_t direct[IR_OP_COUNT][4] = {
    [IR_VADD] = {P | 0xfc, P | 0xfd, P | 0xfe, P | 0xd4},
    [IR_VSUB] = {P | 0xf8, P | 0xf9, P | 0xfa, P | 0xfb},
    [IR_VMUL] = {0, P | 0xd5, P38 | 0x40, 0},
    [IR_VAND] = {P | 0xdb, P | 0xdb, P | 0xdb, P | 0xdb},
    [IR_VOR] = {P | 0xeb, P | 0xeb, P | 0xeb, P | 0xeb},
    [IR_VXOR] = {P | 0xef, P | 0xef, P | 0xef, P | 0xef},
    [IR_VUMIN] = {P | 0xda, P38 | 0x3a, P38 | 0x3b, 0},
    [IR_VUMAX] = {P | 0xde, P38 | 0x3e, P38 | 0x3f, 0},
    [IR_VSMIN] = {P38 | 0x38, P | 0xea, P38 | 0x39, 0},
    [IR_VSMAX] = {P38 | 0x3c, P | 0xee, P38 | 0x3d, 0},
    [IR_VUQADD] = {P | 0xdc, P | 0xdd, 0, 0},
    [IR_VSQADD] = {P | 0xec, P | 0xed, 0, 0},
    [IR_VUQSUB] = {P | 0xd8, P | 0xd9, 0, 0},
    [IR_VSQSUB] = {P | 0xe8, P | 0xe9, 0, 0},
    [IR_VURHADD] = {P | 0xe0, P | 0xe3, 0, 0},
    [IR_VCMPEQ] = {P | 0x74, P | 0x75, P | 0x76, P38 | 0x29},
    [IR_VCMPGTS] = {P | 0x64, P | 0x65, P | 0x66, P38 | 0x37},
    [IR_VZIP1] = {P | 0x60, P | 0x61, P | 0x62, P | 0x6c},
    [IR_VZIP2] = {P | 0x68, P | 0x69, P | 0x6a, P | 0x6d},
    [IR_VCAT64] = {P | 0x6c, P | 0x6c, P | 0x6c, P | 0x6c},
    [IR_VUZP1] = {0, 0, 0, P | 0x6c},
    [IR_VUZP2] = {0, 0, 0, P | 0x6d},
    [IR_VTRN1] = {0, 0, 0, P | 0x6c},
    [IR_VTRN2] = {0, 0, 0, P | 0x6d},
    [IR_VSQNARROW] = {0, P | 0x63, P | 0x6b, 0},
    [IR_VSQNARROWU] = {0, P | 0x67, P38 | 0x2b, 0},
    [IR_VPADD] = {0, P38 | 0x01, P38 | 0x02, 0},
};
/* Likewise with one operand. */
static const uint16_t direct1[IR_OP_COUNT][4] = {
    [IR_VABS] = {P38 | 0x1c, P38 | 0x1d, P38 | 0x1e, 0},
    [IR_VUWIDEN] = {P38 | 0x30, P38 | 0x33, P38 | 0x35, 0},
    [IR_VSWIDEN] = {P38 | 0x20, P38 | 0x23, P38 | 0x25, 0},
};

static uint64_t repeat(unsigned lane, uint64_t v)
{
    for (unsigned bits = 8u << lane; bits < 64; bits *= 2)
        v |= v << bits;
    return v;
}

static void op_repeat(struct gen *g, unsigned op, int d, int a, unsigned lane, uint64_t v)
{
    v = repeat(lane, v);
    x86_op3_pool(g, op, d, a, v, v);
}

static void zero(struct gen *g, int d) { x86_op3(g, OP_0F | 0x57, d, d, d); }
static void ones(struct gen *g, int d) { x86_op3(g, P | 0x76, d, d, d); }

/* Shift of all lanes by an immediate: group 12 (H), 13 (S), 14 (D); ext 2 right, 4 arithmetic, 6 left; bytes 3, 7. */
static void shift_imm(struct gen *g, unsigned op, unsigned ext, int d, int a, unsigned n)
{
    if (x86.avx) {
        emit_vrr(&g->a, P | op, ext, d - XMM0, a - XMM0);
    } else {
        x86_move(g, d, a);
        emit_rr(&g->a, P | op, ext, d - XMM0);
    }
    emit8(&g->a, n);
}

static void pshufd(struct gen *g, int d, int a, unsigned imm)
{
    x86_op2(g, P | 0x70, d, a);
    emit8(&g->a, imm);
}

/* --- comparisons --- */

static bool compare(struct gen *g, const struct ir_inst *in, int d, int a, int b)
{
    unsigned lane = in->ir_lane_;
    switch (in->op) {
    case IR_VCMPGES: /* not b > a */
        x86_op3(g, direct[IR_VCMPGTS][lane], d, b, a);
        ones(g, X);
        x86_op3(g, P | 0xef, d, d, X);
        return true;
    case IR_VCMPGEU:
    case IR_VCMPGTU:
        if (lane == LANE_D) {
            int x = in->op == IR_VCMPGTU ? a : b, y = in->op == IR_VCMPGTU ? b : a;
            op_repeat(g, P | 0xef, X, y, LANE_D, UINT64_C(1) << 63);
            op_repeat(g, P | 0xef, d, x, LANE_D, UINT64_C(1) << 63);
            x86_op3(g, P38 | 0x37, d, d, X);
            if (in->op == IR_VCMPGTU)
                return true;
        } else if (in->op == IR_VCMPGEU) { /* max(a, b) == a */
            x86_op3(g, direct[IR_VUMAX][lane], d, a, b);
            x86_op3(g, direct[IR_VCMPEQ][lane], d, d, a);
            return true;
        } else { /* not min(a, b) == a */
            x86_op3(g, direct[IR_VUMIN][lane], d, a, b);
            x86_op3(g, direct[IR_VCMPEQ][lane], d, d, a);
        }
        ones(g, X);
        x86_op3(g, P | 0xef, d, d, X);
        return true;
    default: return false;
    }
}

/* --- two operands, several instructions; d differs from a and b --- */

static bool two(struct gen *g, const struct ir_inst *in, int d, int a, int b)
{
    unsigned lane = in->ir_lane_;
    switch (in->op) {
    case IR_VANDN: x86_op3(g, P | 0xdf, d, b, a); return true; /* PANDN: ~b & a */
    case IR_VMUL:
        if (lane != LANE_B)
            return false;
        x86_op3(g, P | 0xd5, d, a, b); /* even bytes, in the low halves of words */
        op_repeat(g, P | 0xdb, d, d, LANE_H, 0x00ff);
        shift_imm(g, 0x71, 2, X, a, 8);
        {
            int t = ra_temp(g, true);
            shift_imm(g, 0x71, 2, t, b, 8);
            x86_op3(g, P | 0xd5, X, X, t);
        }
        shift_imm(g, 0x71, 6, X, X, 8);
        x86_op3(g, P | 0xeb, d, d, X);
        return true;
    case IR_VUHADD: /* pavg rounds up: subtract the carry of odd sums */
        if (lane > LANE_H)
            return false;
        x86_op3(g, P | 0xef, X, a, b);
        op_repeat(g, P | 0xdb, X, X, lane, 1);
        x86_op3(g, direct[IR_VURHADD][lane], d, a, b);
        x86_op3(g, direct[IR_VSUB][lane], d, d, X);
        return true;
    case IR_VEXT: x86_op3_imm(g, P3A | 0x0f, d, b, a, in->imm); return true; /* PALIGNR */
    case IR_VUZP1:
    case IR_VNARROW:
        if (in->op == IR_VNARROW)
            lane--; /* the lane of the result */
        if (lane == LANE_S) {
            x86_op3_imm(g, OP_0F | 0xc6, d, a, b, 0x88); /* SHUFPS */
            return true;
        }
        op_repeat(g, P | 0xdb, X, b, lane + 1, lane == LANE_B ? 0xff : 0xffff);
        op_repeat(g, P | 0xdb, d, a, lane + 1, lane == LANE_B ? 0xff : 0xffff);
        x86_op3(g, direct[IR_VSQNARROWU][lane + 1], d, d, X);
        return true;
    case IR_VUZP2:
        if (lane == LANE_S) {
            x86_op3_imm(g, OP_0F | 0xc6, d, a, b, 0xdd);
            return true;
        }
        shift_imm(g, lane == LANE_B ? 0x71 : 0x72, 2, X, b, 8 << lane);
        shift_imm(g, lane == LANE_B ? 0x71 : 0x72, 2, d, a, 8 << lane);
        x86_op3(g, direct[IR_VSQNARROWU][lane + 1], d, d, X);
        return true;
    case IR_VUQNARROW: {
        if (lane == LANE_D)
            return false;
        uint64_t max = lane == LANE_H ? 0xff : 0xffff;
        op_repeat(g, direct[IR_VUMIN][lane], X, b, lane, max);
        op_repeat(g, direct[IR_VUMIN][lane], d, a, lane, max);
        x86_op3(g, direct[IR_VSQNARROWU][lane], d, d, X);
        return true;
    }
    case IR_VTRN1:
    case IR_VTRN2: {
        bool first = in->op == IR_VTRN1;
        unsigned group = lane == LANE_B ? 0x71 : lane == LANE_H ? 0x72 : 0x73;
        int keep = first ? a : b;
        shift_imm(g, group, first ? 6 : 2, X, first ? b : a, 8 << lane);
        if (lane == LANE_B) {
            op_repeat(g, P | 0xdb, d, keep, LANE_H, first ? 0x00ff : 0xff00);
            x86_op3(g, P | 0xeb, d, d, X);
        } else { /* PBLENDW: words of the second operand where the mask has ones */
            unsigned odd = lane == LANE_H ? 0xaa : 0xcc;
            x86_op3_imm(g, P3A | 0x0e, d, keep, X, first ? odd : odd ^ 0xff);
        }
        return true;
    }
    case IR_VTBL: /* indices above 15 get their top bit set, for which PSHUFB gives 0 */
        op_repeat(g, P | 0xdc, X, b, LANE_B, 0x70);
        x86_op3(g, P38 | 0x00, d, a, X);
        return true;
    case IR_VUMULL:
    case IR_VSMULL: {
        bool sign = in->op == IR_VSMULL;
        if (lane == LANE_S) {
            pshufd(g, X, b, 0x50);
            pshufd(g, d, a, 0x50);
            x86_op3(g, sign ? P38 | 0x28 : P | 0xf4, d, d, X); /* PMULDQ, PMULUDQ */
            return true;
        }
        unsigned op = direct1[sign ? IR_VSWIDEN : IR_VUWIDEN][lane];
        x86_op2(g, op, X, b);
        x86_op2(g, op, d, a);
        x86_op3(g, lane == LANE_B ? P | 0xd5 : P38 | 0x40, d, d, X);
        return true;
    }
    case IR_VPADD:
        if (lane == LANE_D) {
            x86_op3(g, P | 0x6d, X, a, b);
            x86_op3(g, P | 0x6c, d, a, b);
            x86_op3(g, P | 0xd4, d, d, X);
            return true;
        }
        if (lane != LANE_B)
            return false;
        op_repeat(g, P38 | 0x04, X, b, LANE_B, 1); /* PMADDUBSW */
        op_repeat(g, P38 | 0x04, d, a, LANE_B, 1);
        op_repeat(g, P | 0xdb, X, X, LANE_H, 0xff);
        op_repeat(g, P | 0xdb, d, d, LANE_H, 0xff);
        x86_op3(g, P | 0x67, d, d, X);
        return true;
    case IR_VABDU:
        if (lane <= LANE_H) {
            x86_op3(g, direct[IR_VUQSUB][lane], X, a, b);
            x86_op3(g, direct[IR_VUQSUB][lane], d, b, a);
            x86_op3(g, P | 0xeb, d, d, X);
            return true;
        } /* fall through */
    case IR_VABDS: {
        bool sign = in->op == IR_VABDS;
        if (lane == LANE_D)
            return false;
        x86_op3(g, direct[sign ? IR_VSMIN : IR_VUMIN][lane], X, a, b);
        x86_op3(g, direct[sign ? IR_VSMAX : IR_VUMAX][lane], d, a, b);
        x86_op3(g, direct[IR_VSUB][lane], d, d, X);
        return true;
    }
    case IR_VSETL: {
        unsigned to = in->imm, from = in->imm2;
        if (lane == LANE_S) {
            x86_op3_imm(g, P3A | 0x21, d, a, b, from << 6 | to << 4); /* INSERTPS */
        } else if (lane == LANE_D) {
            if (to && from)
                x86_op3_imm(g, P3A | 0x0e, d, a, b, 0xf0);
            else if (to)
                x86_op3(g, P | 0x6c, d, a, b);
            else if (from)
                x86_op3_imm(g, P | 0xc6, d, b, a, 3); /* SHUFPD: b1, a1 */
            else
                x86_op3_imm(g, P3A | 0x0e, d, a, b, 0x0f);
        } else {
            int t = ra_temp(g, false);
            emit_rr(&g->a, P3A | (lane == LANE_B ? 0x14 : 0x15), b - XMM0, t); /* PEXTRB, PEXTRW */
            emit8(&g->a, from);
            x86_move(g, d, a);
            emit_rr(&g->a, lane == LANE_B ? P3A | 0x20 : P | 0xc4, d - XMM0, t); /* PINSRB, PINSRW */
            emit8(&g->a, to);
        }
        return true;
    }
    case IR_AESENC:
    case IR_AESDEC:
        if (!x86.aes)
            return false;
        x86_op3(g, P | 0xef, d, a, b);
        zero(g, X);
        x86_op3(g, P38 | (in->op == IR_AESENC ? 0xdd : 0xdf), d, d, X); /* AESENCLAST, AESDECLAST */
        return true;
    case IR_CLMUL64:
        if (!x86.pclmul)
            return false;
        x86_op3_imm(g, P3A | 0x44, d, a, b, 0);
        return true;
    case IR_SHA256MSG1:
    case IR_SHA256MSG2:
        if (!x86.sha)
            return false;
        x86_move(g, d, a);
        emit_rr(&g->a, OP_38 | (in->op == IR_SHA256MSG1 ? 0xcc : 0xcd), d - XMM0, b - XMM0);
        return true;
    default: return compare(g, in, d, a, b);
    }
}

/* --- one operand --- */

static bool shift(struct gen *g, const struct ir_inst *in, int d, int a)
{
    unsigned lane = in->ir_lane_, n = in->imm, bits = 8u << lane;
    static const uint8_t group[] = {0x71, 0x71, 0x72, 0x73};
    switch (in->op) {
    case IR_VSHLI:
        shift_imm(g, group[lane], 6, d, a, n);
        if (lane == LANE_B)
            op_repeat(g, P | 0xdb, d, d, LANE_B, 0xff << n & 0xff);
        return true;
    case IR_VUSHRI:
        shift_imm(g, group[lane], 2, d, a, n);
        if (lane == LANE_B)
            op_repeat(g, P | 0xdb, d, d, LANE_B, 0xff >> n);
        return true;
    default: /* VSSHRI */
        if (n >= bits)
            n = bits - 1;
        if (lane == LANE_H || lane == LANE_S) {
            shift_imm(g, group[lane], 4, d, a, n);
        } else if (lane == LANE_B) { /* ((a >> n) ^ s) - s with s the place of the sign */
            shift_imm(g, 0x71, 2, d, a, n);
            op_repeat(g, P | 0xdb, d, d, LANE_B, 0xff >> n);
            op_repeat(g, P | 0xef, d, d, LANE_B, 0x80 >> n);
            op_repeat(g, P | 0xf8, d, d, LANE_B, 0x80 >> n);
        } else {
            shift_imm(g, 0x73, 2, d, a, n);
            op_repeat(g, P | 0xef, d, d, LANE_D, (UINT64_C(1) << 63) >> n);
            op_repeat(g, P | 0xfb, d, d, LANE_D, (UINT64_C(1) << 63) >> n);
        }
        return true;
    }
}

static void shuffle(struct gen *g, int d, int a, const uint8_t index[16])
{
    uint64_t half[2];
    memcpy(half, index, 16);
    x86_op3_pool(g, P38 | 0x00, d, a, half[0], half[1]);
}

static bool one(struct gen *g, const struct ir_inst *in, int d, int a)
{
    unsigned lane = in->ir_lane_;
    uint8_t index[16];
    switch (in->op) {
    case IR_VDUPL:
        if (lane == LANE_S) {
            pshufd(g, d, a, in->imm * 0x55);
        } else if (lane == LANE_D) {
            pshufd(g, d, a, in->imm ? 0xee : 0x44);
        } else {
            for (unsigned i = 0; i < 16; i++)
                index[i] = (in->imm << lane) + (i & lane);
            shuffle(g, d, a, index);
        }
        return true;
    case IR_VREV:
        for (unsigned i = 0; i < 16; i++) {
            unsigned bytes = 1u << lane, group = in->imm, place = i % group;
            index[i] = i - place + (group / bytes - 1 - place / bytes) * bytes + place % bytes;
        }
        shuffle(g, d, a, index);
        return true;
    case IR_VLO64: x86_op2(g, OP_F3 | OP_0F | 0x7e, d, a); return true;
    case IR_VHI64: shift_imm(g, 0x73, 3, d, a, 8); return true; /* PSRLDQ */
    case IR_VNOT:
        ones(g, X);
        x86_op3(g, P | 0xef, d, a, X);
        return true;
    case IR_VNEG:
        zero(g, X);
        x86_op3(g, direct[IR_VSUB][lane], d, X, a);
        return true;
    case IR_VABS: /* D: (a ^ s) - s */
        zero(g, X);
        x86_op3(g, P38 | 0x37, X, X, a);
        x86_op3(g, P | 0xef, d, a, X);
        x86_op3(g, P | 0xfb, d, d, X);
        return true;
    case IR_VSHLI:
    case IR_VUSHRI:
    case IR_VSSHRI: return shift(g, in, d, a);
    case IR_VUADDLP:
    case IR_VSADDLP: {
        bool sign = in->op == IR_VSADDLP;
        if (lane == LANE_B && sign) {
            ones(g, X);
            x86_op2(g, P38 | 0x1c, X, X); /* PABSB of -1: bytes of 1 */
            x86_op3(g, P38 | 0x04, d, X, a); /* PMADDUBSW: unsigned times signed */
        } else if (lane == LANE_B) {
            op_repeat(g, P38 | 0x04, d, a, LANE_B, 1);
        } else if (lane == LANE_H && sign) {
            op_repeat(g, P | 0xf5, d, a, LANE_H, 1); /* PMADDWD */
        } else if (!sign) {
            shift_imm(g, lane == LANE_H ? 0x72 : 0x73, 2, X, a, 8 << lane);
            op_repeat(g, P | 0xdb, d, a, lane + 1, lane == LANE_H ? 0xffff : 0xffffffff);
            x86_op3(g, direct[IR_VADD][lane + 1], d, d, X);
        } else {
            return false;
        }
        return true;
    }
    case IR_VCNT: {
        static const uint8_t bits[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
        uint64_t half[2];
        int high = ra_temp(g, true), table = ra_temp(g, true);
        memcpy(half, bits, 16);
        x86_pool(g, OP_0F | 0x28, table - XMM0, 16, half[0], half[1], 0);
        op_repeat(g, P | 0xdb, d, a, LANE_B, 0x0f);
        shift_imm(g, 0x71, 2, high, a, 4);
        op_repeat(g, P | 0xdb, high, high, LANE_B, 0x0f);
        x86_op3(g, P38 | 0x00, X, table, d);
        x86_op3(g, P38 | 0x00, d, table, high);
        x86_op3(g, P | 0xfc, d, d, X);
        return true;
    }
    case IR_VFNEG:
        op_repeat(g, OP_0F | 0x57, d, a, lane, lane == LANE_D ? UINT64_C(1) << 63 : UINT64_C(1) << 31);
        return true;
    case IR_VFABS: op_repeat(g, OP_0F | 0x54, d, a, lane, lane == LANE_D ? INT64_MAX : INT32_MAX); return true;
    case IR_AESMC: /* the inverse of the last round undoes what the round does beyond mixing */
        if (!x86.aes)
            return false;
        zero(g, X);
        x86_op3(g, P38 | 0xdf, d, a, X);
        x86_op3(g, P38 | 0xdc, d, d, X);
        return true;
    case IR_AESIMC:
        if (!x86.aes)
            return false;
        x86_op2(g, P38 | 0xdb, d, a);
        return true;
    default: return false;
    }
}

/* --- between vectors and the other registers --- */

/* SHA256RNDS2 wants the words in XMM0, which may be anybody's. `d` is none of the operands' registers. */
static void sha256_rounds(struct gen *g, int d, int hgdc, int feba, int wk)
{
    int into = d == XMM0 ? X : d;
    x86_move(g, into, hgdc);
    if (d != XMM0 && wk != XMM0) {
        x86_move(g, X, XMM0);
        if (feba == XMM0)
            feba = X;
    }
    x86_move(g, XMM0, wk);
    emit_rr(&g->a, OP_38 | 0xcb, into - XMM0, feba - XMM0);
    if (d == XMM0)
        x86_move(g, d, X);
    else if (wk != XMM0)
        x86_move(g, XMM0, X);
}

static bool transfer(struct gen *g, const struct ir_inst *in)
{
    struct asmbuf *a = &g->a;
    unsigned lane = in->ir_lane_;
    static const uint16_t extract[] = {P3A | 0x14, P3A | 0x15, P3A | 0x16, P3A | 0x16};
    static const uint16_t insert[] = {P3A | 0x20, P | 0xc4, P3A | 0x22, P3A | 0x22};
    switch (in->op) {
    case IR_VLOW: {
        int x = ra_use(g, in->arg[0]), d = ra_def(g);
        emit_rr(a, P | 0x7e | op_w(in->type == IR_I64), x - XMM0, d);
        return true;
    }
    case IR_VZEXT: {
        int x = ra_use(g, in->arg[0]), d = ra_def_over(g);
        switch (in->type2) {
        case IR_F32: x86_op3_imm(g, P3A | 0x21, d, x, x, 0x0e); break; /* INSERTPS */
        case IR_F64: x86_op2(g, OP_F3 | OP_0F | 0x7e, d, x); break;    /* MOVQ */
        default: emit_rr(a, P | 0x6e | op_w(in->type2 == IR_I64), d - XMM0, x);
        }
        return true;
    }
    case IR_VDUP: {
        int x = ra_use(g, in->arg[0]), d = ra_def(g);
        emit_rr(a, P | 0x6e | op_w(lane == LANE_D), d - XMM0, x);
        if (x86.avx2) {
            static const uint16_t broadcast[] = {P38 | 0x78, P38 | 0x79, P38 | 0x58, P38 | 0x59};
            x86_op2(g, broadcast[lane], d, d);
        } else if (lane == LANE_B) {
            zero(g, X);
            x86_op3(g, P38 | 0x00, d, d, X);
        } else if (lane == LANE_H) {
            x86_op3(g, P | 0x61, d, d, d);
            pshufd(g, d, d, 0);
        } else {
            pshufd(g, d, d, lane == LANE_S ? 0 : 0x44);
        }
        return true;
    }
    case IR_VGET: {
        int x = ra_use(g, in->arg[0]), d = ra_def(g);
        bool sign = in->ir_sub, wide = in->type == IR_I64;
        if (!in->imm && lane >= LANE_S) {
            emit_rr(a, P | 0x7e | op_w(lane == LANE_D), x - XMM0, d);
        } else {
            emit_rr(a, extract[lane] | op_w(lane == LANE_D), x - XMM0, d);
            emit8(a, in->imm);
        }
        if (sign && lane == LANE_B)
            emit_rr(a, OP_0F | OP_BRM | 0xbe | op_w(wide), d, d);
        else if (sign && lane == LANE_H)
            emit_rr(a, OP_0F | 0xbf | op_w(wide), d, d);
        else if (sign && lane == LANE_S && wide)
            emit_rr(a, 0x63 | OP_W, d, d);
        return true;
    }
    case IR_VSET: {
        int x = ra_use(g, in->arg[1]);
        if (x86.avx) {
            int v = ra_use(g, in->arg[0]), d = ra_def_over(g);
            emit_vrr(a, insert[lane] | op_w(lane == LANE_D), d - XMM0, v - XMM0, x);
        } else {
            int d = ra_def_copy(g, in->arg[0]);
            emit_rr(a, insert[lane] | op_w(lane == LANE_D), d - XMM0, x);
        }
        emit8(a, in->imm);
        return true;
    }
    case IR_VTEST: {
        int x = ra_use(g, in->arg[0]), d = ra_def(g);
        emit_const(a, d, 0, false);
        x86_op2(g, P38 | 0x17, x, x); /* PTEST */
        emit_rr(a, OP_0F | OP_BRM | (0x90 + X_NE), 0, d);
        return true;
    }
    case IR_VMASK: {
        int x = ra_use(g, in->arg[0]), d = ra_def(g);
        if (lane == LANE_H) {
            x86_op3(g, P | 0x63, X, x, x); /* PACKSSWB: twice */
            x = X;
        }
        unsigned op = lane == LANE_S ? OP_0F | 0x50 : lane == LANE_D ? P | 0x50 : P | 0xd7;
        emit_rr(a, op, d, x - XMM0);
        if (lane == LANE_H)
            emit_rr(a, OP_0F | OP_BRM | 0xb6, d, d); /* MOVZX */
        return true;
    }
    case IR_VBSL: {
        int m = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]), c = ra_use(g, in->arg[2]), d = ra_def(g);
        x86_op3(g, P | 0xdf, X, m, c); /* ~m & c */
        x86_op3(g, P | 0xdb, d, b, m);
        x86_op3(g, P | 0xeb, d, d, X);
        return true;
    }
    case IR_SHA256RNDS2: {
        if (!x86.sha)
            return false;
        int hgdc = ra_use(g, in->arg[0]), feba = ra_use(g, in->arg[1]), wk = ra_use(g, in->arg[2]);
        sha256_rounds(g, ra_def(g), hgdc, feba, wk);
        return true;
    }
    default: return false;
    }
}

/* --- floating point --- */

static unsigned packed(unsigned lane) { return (lane == LANE_D ? OP_66 : 0) | OP_0F; }

/* To C if a lane of `x` compared with itself (or a with b) is unordered. Returns the jump. */
static uint8_t *jump_unordered(struct gen *g, unsigned lane, int a, int b)
{
    x86_op3_imm(g, packed(lane) | 0xc2, X, a, b, 3); /* CMPUNORDPS */
    x86_op2(g, P38 | 0x17, X, X);
    return emit_jcc_forward(&g->a, X_NE);
}

/* As for scalars (isel-fp.c). */
static void check_result(struct gen *g, unsigned lane, int d, int a, int b, int c)
{
    int8_t src[4] = {a, b, c, NO_REG};
    bool tiny = x86_tiny_before(g, g->u->inst[g->i].op);
    if (!tiny || !x86.avx)
        x86_slow_stub(g, jump_unordered(g, lane, d, d), d, src);
    if (!tiny)
        return;
    uint64_t smallest = repeat(lane, lane == LANE_D ? UINT64_C(1) << 52 : 1 << 23);
    op_repeat(g, OP_0F | 0x54, X, d, lane, lane == LANE_D ? INT64_MAX : INT32_MAX);
    if (x86.avx)
        x86_pool_vex(g, packed(lane) | 0xc2, XSCRATCH, XSCRATCH, 16, smallest, smallest, 1);
    else
        x86_pool(g, packed(lane) | 0xc2, XSCRATCH, 16, smallest, smallest, 1);
    emit8(&g->a, x86.avx ? 8 : 0); /* CMPPS: equal or unordered, quiet; equal */
    x86_op2(g, P38 | 0x17, X, X);
    x86_slow_stub(g, emit_jcc_forward(&g->a, X_NE), d, src);
}

static const uint8_t arithmetic[IR_OP_COUNT] = {
    [IR_VFADD] = 0x58, [IR_VFSUB] = 0x5c, [IR_VFMUL] = 0x59, [IR_VFDIV] = 0x5e,
};

static bool float_two(struct gen *g, const struct ir_inst *in)
{
    unsigned lane = in->ir_lane_;
    int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]), d;
    switch (in->op) {
    case IR_VFCMPEQ:
        d = ra_def_over(g);
        x86_op3_imm(g, packed(lane) | 0xc2, d, a, b, 0); /* quiet */
        return true;
    case IR_VFCMPGT:
    case IR_VFCMPGE: /* LT and LE signal; operands exchanged */
        d = ra_def_over(g);
        x86_op3_imm(g, packed(lane) | 0xc2, d, b, a, in->op == IR_VFCMPGT ? 1 : 2);
        return true;
    case IR_VFMIN:
    case IR_VFMAX:
    case IR_VFMINNUM:
    case IR_VFMAXNUM: { /* as for scalars */
        bool min = in->op == IR_VFMIN || in->op == IR_VFMINNUM;
        d = ra_def(g);
        uint8_t *nan = jump_unordered(g, lane, a, b);
        x86_op3(g, packed(lane) | (min ? 0x5d : 0x5f), d, a, b);
        x86_op3(g, packed(lane) | (min ? 0x5d : 0x5f), X, b, a);
        x86_op3(g, OP_0F | (min ? 0x56 : 0x54), d, d, X);
        x86_slow_stub(g, nan, d, (int8_t[4]){a, b, NO_REG, NO_REG});
        return true;
    }
    default:
        d = ra_def(g);
        x86_op3(g, packed(lane) | arithmetic[in->op], d, a, b);
        check_result(g, lane, d, a, b, NO_REG);
        return true;
    }
}

static bool float_one(struct gen *g, const struct ir_inst *in)
{
    unsigned lane = in->ir_lane_;
    int imm, a, d;
    switch (in->op) {
    case IR_VFSQRT:
        a = ra_use(g, in->arg[0]), d = ra_def(g);
        x86_op2(g, packed(lane) | 0x51, d, a);
        check_result(g, lane, d, a, NO_REG, NO_REG);
        return true;
    case IR_VFRINT:
        imm = x86_round_imm(in->imm & 7);
        if (imm < 0)
            return false;
        a = ra_use(g, in->arg[0]), d = ra_def(g);
        x86_op2(g, P3A | (lane == LANE_D ? 0x09 : 0x08), d, a); /* ROUNDPS */
        emit8(&g->a, imm | (in->imm & IR_RM_QUIET ? 8 : 0));
        check_result(g, lane, d, a, NO_REG, NO_REG);
        return true;
    case IR_VFEXT:
    case IR_VFTRUNC:
        a = ra_use(g, in->arg[0]), d = ra_def(g);
        x86_op2(g, (in->op == IR_VFTRUNC ? OP_66 : 0) | OP_0F | 0x5a, d, a);
        check_result(g, in->op == IR_VFEXT ? LANE_D : LANE_S, d, a, NO_REG, NO_REG);
        return true;
    case IR_VSTOF:
        if (lane != LANE_S)
            return false;
        a = ra_use(g, in->arg[0]), d = ra_def_over(g);
        x86_op2(g, OP_0F | 0x5b, d, a);
        return true;
    case IR_VFTOS: /* the processor answers INT_MIN where it does not fit: C decides */
        if (lane != LANE_S || (in->imm != FP_RTZ && in->imm != IR_RM_DYN))
            return false;
        a = ra_use(g, in->arg[0]), d = ra_def(g);
        x86_op2(g, (in->imm == FP_RTZ ? OP_F3 : OP_66) | OP_0F | 0x5b, d, a);
        op_repeat(g, P | 0x76, X, d, LANE_S, UINT64_C(1) << 31);
        x86_op2(g, P38 | 0x17, X, X);
        {
            uint8_t *outside = emit_jcc_forward(&g->a, X_NE);
            x86_slow_stub(g, outside, d, (int8_t[4]){a, NO_REG, NO_REG, NO_REG});
        }
        return true;
    default: return false;
    }
}

bool isel_vec(struct gen *g, const struct ir_inst *in)
{
    unsigned lane = in->ir_lane_ & 3;
    if (direct[in->op][lane]) {
        int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]);
        x86_op3(g, direct[in->op][lane], ra_def_over(g), a, b);
        return true;
    }
    if (direct1[in->op][lane]) {
        int a = ra_use(g, in->arg[0]);
        x86_op2(g, direct1[in->op][lane], ra_def_over(g), a);
        return true;
    }
    if (transfer(g, in))
        return true;
    if (in->op >= IR_VFADD && in->op <= IR_VFTRUNC) {
        if (in->op == IR_VFMA) {
            if (!x86.fma)
                return false;
            int a = ra_use(g, in->arg[0]), b = ra_use(g, in->arg[1]), c = ra_use(g, in->arg[2]), d = ra_def(g);
            x86_move(g, d, c);
            emit_vrr(&g->a, P38 | 0xb8 | op_w(lane == LANE_D), d - XMM0, a - XMM0, b - XMM0); /* VFMADD231 */
            check_result(g, lane, d, a, b, c);
            return true;
        }
        if (in->op != IR_VFNEG && in->op != IR_VFABS)
            return ir_nargs(in) == 2 ? float_two(g, in) : float_one(g, in);
    }
    if (ir_result_type(in) != IR_V128)
        return false;
    int a = ra_use(g, in->arg[0]), b = ir_nargs(in) == 2 ? ra_use(g, in->arg[1]) : NO_REG, d = ra_def(g);
    if (b == NO_REG ? one(g, in, d, a) : two(g, in, d, a, b))
        return true;
    ra_undef(g); /* nothing was emitted */
    return false;
}
