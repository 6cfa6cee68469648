/*
 * Loads and stores of structures, LD1 to LD4, ST1 to ST4 and LD1R to LD4R: Arm ARM C4.1.94 and the instruction pages
 * of C7.2. Whole registers of memory are moved, and elements sorted between registers; registers change only when
 * nothing can fault any more.
 */
#include "targets/aarch64/a64-decode.h"
#include "targets/aarch64/translate.h"

enum { SIZE_D = 3, SIZE_Q = 4 }; /* a64_load_v: log2 of the bytes */

static unsigned nth(unsigned r, unsigned i) { return (r + i) % 32; }

/* Post-index: by a register, or (31) by the bytes transferred. */
static void write_back(DisasContext *s, unsigned rn, unsigned rm, ir_ref base, unsigned bytes)
{
    ir_ref step = rm == 31 ? b_i64(s->b, bytes) : a64_read(s, true, rm);
    a64_write_sp(s, true, rn, b_add(s->b, IR_I64, base, step));
}

/* --- sorting elements: mem[] as they lie in memory, reg[] by register; halves: registers are 8 bytes --- */

static ir_ref low_half(DisasContext *s, bool half, ir_ref v)
{
    return half ? b_v1(s->b, IR_VLO64, LANE_D, v) : v;
}

static void split2(DisasContext *s, enum ir_lane lane, bool half, const ir_ref *mem, ir_ref *reg)
{
    ir_ref x = mem[0], y = half ? mem[0] : mem[1];
    reg[0] = low_half(s, half, b_v2(s->b, IR_VUZP1, lane, x, y));
    reg[1] = low_half(s, half, b_v2(s->b, IR_VUZP2, lane, x, y));
}

static void merge2(DisasContext *s, enum ir_lane lane, bool half, const ir_ref *reg, ir_ref *mem)
{
    mem[0] = b_v2(s->b, IR_VZIP1, lane, reg[0], reg[1]);
    if (!half)
        mem[1] = b_v2(s->b, IR_VZIP2, lane, reg[0], reg[1]);
}

/* Even and odd elements are pairs of two registers each. */
static void split4(DisasContext *s, enum ir_lane lane, bool half, const ir_ref *mem, ir_ref *reg)
{
    ir_ref even[2], odd[2], pair[2];
    for (unsigned i = 0; i < (half ? 1 : 2); i++) {
        even[i] = b_v2(s->b, IR_VUZP1, lane, mem[2 * i], mem[2 * i + 1]);
        odd[i] = b_v2(s->b, IR_VUZP2, lane, mem[2 * i], mem[2 * i + 1]);
    }
    split2(s, lane, half, even, pair);
    reg[0] = pair[0];
    reg[2] = pair[1];
    split2(s, lane, half, odd, pair);
    reg[1] = pair[0];
    reg[3] = pair[1];
}

static void merge4(DisasContext *s, enum ir_lane lane, bool half, const ir_ref *reg, ir_ref *mem)
{
    ir_ref even[2], odd[2];
    merge2(s, lane, half, (ir_ref[]){reg[0], reg[2]}, even);
    merge2(s, lane, half, (ir_ref[]){reg[1], reg[3]}, odd);
    for (unsigned i = 0; i < (half ? 1 : 2); i++)
        merge2(s, lane, false, (ir_ref[]){even[i], odd[i]}, mem + 2 * i);
}

/* The bytes of v that from[i] (their numbers, or -1) says, zeros elsewhere. */
static ir_ref pick_bytes(DisasContext *s, ir_ref v, const int8_t from[16])
{
    uint64_t q[2];
    memcpy(q, from, 16);
    return b_v2(s->b, IR_VTBL, LANE_B, v, b_vconst(s->b, q[0], q[1]));
}

/*
 * Three-element structures. Byte j of register r is byte ((j >> lane) * 3 + r << lane) + (j mod the element) of memory;
 * every result is gathered from up to three sources.
 */
static void shuffle3(DisasContext *s, enum ir_lane lane, bool half, const ir_ref *in, ir_ref *out, bool to_registers)
{
    unsigned reg_bytes = half ? 8 : 16, element = 1u << lane;
    int8_t from[3][3][16]; /* [out][in]: byte of in */
    bool used[3][3] = {{false}};
    memset(from, -1, sizeof(from));
    for (unsigned r = 0; r < 3; r++)
        for (unsigned j = 0; j < reg_bytes; j++) {
            unsigned m = ((j >> lane) * 3 + r) * element + j % element, v = m / 16;
            if (to_registers)
                from[r][v][j] = m % 16;
            else
                from[v][r][m % 16] = j;
            used[to_registers ? r : v][to_registers ? v : r] = true;
        }
    for (unsigned o = 0; o < 3; o++) {
        out[o] = IR_NONE;
        for (unsigned i = 0; i < 3; i++)
            if (used[o][i]) {
                ir_ref part = pick_bytes(s, in[i], from[o][i]);
                out[o] = out[o] == IR_NONE ? part : b_v2(s->b, IR_VOR, LANE_B, out[o], part);
            }
    }
}

static void split(DisasContext *s, unsigned elems, enum ir_lane lane, bool half, const ir_ref *mem, ir_ref *reg)
{
    if (elems == 2)
        split2(s, lane, half, mem, reg);
    else if (elems == 3)
        shuffle3(s, lane, half, mem, reg, true);
    else
        split4(s, lane, half, mem, reg);
}

static void merge(DisasContext *s, unsigned elems, enum ir_lane lane, bool half, const ir_ref *reg, ir_ref *mem)
{
    if (elems == 2)
        merge2(s, lane, half, reg, mem);
    else if (elems == 3)
        shuffle3(s, lane, half, reg, mem, false);
    else
        merge4(s, lane, half, reg, mem);
}

/* --- multiple structures --- */

/* n registers, each from its own place. */
static void load_registers(DisasContext *s, arg_LDST_multi *a, ir_ref base, ir_ref *reg)
{
    unsigned size = SIZE_D + a->q;
    for (int i = 0; i < a->n; i++)
        reg[i] = a64_load_v(s, size, base, IR_NONE, 0, i << size);
}

static void store_registers(DisasContext *s, arg_LDST_multi *a, ir_ref base)
{
    unsigned size = SIZE_D + a->q;
    for (int i = 0; i < a->n; i++)
        a64_store_v(s, size, base, IR_NONE, 0, i << size, a64_read_v(s, nth(a->rt, i)));
}

/* Memory by 16 bytes; an odd number of half registers leaves 8. */
static unsigned chunk_size(unsigned bytes, unsigned offset) { return bytes - offset >= 16 ? SIZE_Q : SIZE_D; }

static void load_structures(DisasContext *s, arg_LDST_multi *a, ir_ref base, unsigned bytes, ir_ref *reg)
{
    ir_ref mem[4] = {IR_NONE};
    for (unsigned o = 0; o < bytes; o += 16)
        mem[o / 16] = a64_load_v(s, chunk_size(bytes, o), base, IR_NONE, 0, o);
    split(s, a->elems, (enum ir_lane)a->size, !a->q, mem, reg);
}

static void store_structures(DisasContext *s, arg_LDST_multi *a, ir_ref base, unsigned bytes)
{
    ir_ref reg[4], mem[4];
    for (int i = 0; i < a->n; i++)
        reg[i] = a64_read_v(s, nth(a->rt, i));
    merge(s, a->elems, (enum ir_lane)a->size, !a->q, reg, mem);
    for (unsigned o = 0; o < bytes; o += 16)
        a64_store_v(s, chunk_size(bytes, o), base, IR_NONE, 0, o, mem[o / 16]);
}

bool a64_trans_LDST_multi(DisasContext *s, arg_LDST_multi *a)
{
    ir_ref base = a64_read_sp(s, true, a->rn), reg[4];
    unsigned bytes = a->n * (a->q ? 16 : 8);
    if (a->l) {
        if (a->elems == 1)
            load_registers(s, a, base, reg);
        else
            load_structures(s, a, base, bytes, reg);
        for (int i = 0; i < a->n; i++)
            a64_write_v(s, nth(a->rt, i), reg[i]);
    } else if (a->elems == 1) {
        store_registers(s, a, base);
    } else {
        store_structures(s, a, base, bytes);
    }
    if (a->wb)
        write_back(s, a->rn, a->rm, base, bytes);
    return true;
}

/* --- single structure --- */

bool a64_trans_LDST_one(DisasContext *s, arg_LDST_one *a)
{
    struct ir_builder *b = s->b;
    enum ir_lane lane = (enum ir_lane)a->size;
    enum ir_type t = a64_type(a->size == 3);
    ir_ref base = a64_read_sp(s, true, a->rn), reg[4];
    int n = a->elems + 1;
    for (int i = 0; i < n; i++) {
        ir_ref v = a64_read_v(s, nth(a->rt, i));
        if (a->l)
            reg[i] = b_vset(b, lane, v, a->index, b_load(b, t, a->size, base, IR_NONE, 0, i << a->size));
        else
            b_store(b, t, a->size, base, IR_NONE, 0, i << a->size, b_vget(b, t, lane, v, a->index, false));
    }
    if (a->l)
        for (int i = 0; i < n; i++)
            a64_write_v(s, nth(a->rt, i), reg[i]);
    if (a->wb)
        write_back(s, a->rn, a->rm, base, n << a->size);
    return true;
}

bool a64_trans_LDR_rep(DisasContext *s, arg_LDR_rep *a)
{
    struct ir_builder *b = s->b;
    ir_ref base = a64_read_sp(s, true, a->rn), reg[4];
    int n = a->elems + 1;
    for (int i = 0; i < n; i++) {
        ir_ref v = b_load(b, a64_type(a->size == 3), a->size, base, IR_NONE, 0, i << a->size);
        reg[i] = low_half(s, !a->q, b_vdup(b, (enum ir_lane)a->size, v));
    }
    for (int i = 0; i < n; i++)
        a64_write_v(s, nth(a->rt, i), reg[i]);
    if (a->wb)
        write_back(s, a->rn, a->rm, base, n << a->size);
    return true;
}
