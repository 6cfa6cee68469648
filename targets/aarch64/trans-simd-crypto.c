/* AES, SHA-1 and SHA-256 instructions: Arm ARM C4.1 "Cryptographic AES", "Cryptographic SHA", and C7.2. */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate-simd.h"

/* --- AES: the round key is added first --- */

static bool aes_round(DisasContext *s, arg_AESE *a, enum ir_op op)
{
    a64_write_v(s, a->rd, b_v2(s->b, op, LANE_B, a64_read_v(s, a->rd), a64_read_v(s, a->rn)));
    return true;
}

bool a64_trans_AESE(DisasContext *s, arg_AESE *a) { return aes_round(s, a, IR_AESENC); }
bool a64_trans_AESD(DisasContext *s, arg_AESE *a) { return aes_round(s, a, IR_AESDEC); }

static bool aes_mix(DisasContext *s, arg_AESE *a, enum ir_op op)
{
    a64_write_v(s, a->rd, b_v1(s->b, op, LANE_B, a64_read_v(s, a->rn)));
    return true;
}

bool a64_trans_AESMC(DisasContext *s, arg_AESE *a) { return aes_mix(s, a, IR_AESMC); }
bool a64_trans_AESIMC(DisasContext *s, arg_AESE *a) { return aes_mix(s, a, IR_AESIMC); }

/* --- SHA-1, SHA-256 --- */

bool a64_trans_SHA1H(DisasContext *s, arg_AESE *a)
{
    ir_ref x = b_vlow(s->b, IR_I32, a64_read_v(s, a->rn));
    a64_write_v(s, a->rd, b_vzext(s->b, IR_I32, b_op2(s->b, IR_ROTR, IR_I32, x, b_i32(s->b, 2))));
    return true;
}

bool a64_trans_SHA1SU0(DisasContext *s, arg_SHA1C *a)
{
    struct ir_builder *b = s->b;
    ir_ref d = a64_read_v(s, a->rd), middle = b_v2i(b, IR_VEXT, LANE_B, d, a64_read_v(s, a->rn), 8);
    ir_ref x = b_v2(b, IR_VXOR, LANE_D, d, middle);
    a64_write_v(s, a->rd, b_v2(b, IR_VXOR, LANE_D, x, a64_read_v(s, a->rm)));
    return true;
}

static bool sha3(DisasContext *s, arg_SHA1C *a, const struct ir_helper *h)
{
    a64_write_v(s, a->rd, b_callv(s->b, h, a64_read_v(s, a->rd), a64_read_v(s, a->rn), a64_read_v(s, a->rm)));
    return true;
}

bool a64_trans_SHA1C(DisasContext *s, arg_SHA1C *a) { return sha3(s, a, &a64_helper_sha1c); }
bool a64_trans_SHA1P(DisasContext *s, arg_SHA1C *a) { return sha3(s, a, &a64_helper_sha1p); }
bool a64_trans_SHA1M(DisasContext *s, arg_SHA1C *a) { return sha3(s, a, &a64_helper_sha1m); }

static bool sha2(DisasContext *s, arg_AESE *a, const struct ir_helper *h)
{
    a64_write_v(s, a->rd, b_callv(s->b, h, a64_read_v(s, a->rd), a64_read_v(s, a->rn)));
    return true;
}

bool a64_trans_SHA1SU1(DisasContext *s, arg_AESE *a) { return sha2(s, a, &a64_helper_sha1su1); }

/* Two vectors' halves and then the words in them change places: d c b a, h g f e <-> f e b a, h g d c, both ways. */
static ir_ref change_halves(struct ir_builder *b, enum ir_op zip, ir_ref x, ir_ref y)
{
    return b_v1i(b, IR_VREV, LANE_S, b_v2(b, zip, LANE_D, x, y), 8);
}

/* Four rounds: the state's half that `zip` takes from the end of them. */
static bool sha256_rounds(DisasContext *s, unsigned rd, ir_ref abcd, ir_ref efgh, ir_ref wk, enum ir_op zip)
{
    struct ir_builder *b = s->b;
    ir_ref feba = change_halves(b, IR_VZIP1, efgh, abcd), hgdc = change_halves(b, IR_VZIP2, efgh, abcd);
    ir_ref middle = b_v3(b, IR_SHA256RNDS2, LANE_S, hgdc, feba, wk);
    ir_ref end = b_v3(b, IR_SHA256RNDS2, LANE_S, feba, middle, b_v2i(b, IR_VEXT, LANE_B, wk, wk, 8));
    a64_write_v(s, rd, change_halves(b, zip, end, middle));
    return true;
}

bool a64_trans_SHA256H(DisasContext *s, arg_SHA1C *a)
{
    return sha256_rounds(s, a->rd, a64_read_v(s, a->rd), a64_read_v(s, a->rn), a64_read_v(s, a->rm), IR_VZIP2);
}

bool a64_trans_SHA256H2(DisasContext *s, arg_SHA1C *a)
{
    return sha256_rounds(s, a->rd, a64_read_v(s, a->rn), a64_read_v(s, a->rd), a64_read_v(s, a->rm), IR_VZIP1);
}

bool a64_trans_SHA256SU0(DisasContext *s, arg_AESE *a)
{
    a64_write_v(s, a->rd, b_v2(s->b, IR_SHA256MSG1, LANE_S, a64_read_v(s, a->rd), a64_read_v(s, a->rn)));
    return true;
}

bool a64_trans_SHA256SU1(DisasContext *s, arg_SHA1C *a)
{
    struct ir_builder *b = s->b;
    ir_ref m = a64_read_v(s, a->rm), next = b_v2i(b, IR_VEXT, LANE_B, a64_read_v(s, a->rn), m, 4);
    a64_write_v(s, a->rd, b_v2(b, IR_SHA256MSG2, LANE_S, b_v2(b, IR_VADD, LANE_S, a64_read_v(s, a->rd), next), m));
    return true;
}
