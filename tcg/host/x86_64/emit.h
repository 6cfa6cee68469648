/*
 * Assembler for x86-64: one function per encoding form, opcodes as numbers from the Intel SDM vol. 2 opcode maps.
 * An opcode carries its prefixes: 0x0f00afu is two bytes 0F AF; OP_66, OP_F3, OP_F2 add a mandatory prefix; OP_38 and
 * OP_3A select the three-byte maps. Nothing here knows about the IR.
 */
#ifndef TCG_HOST_X86_64_EMIT_H
#define TCG_HOST_X86_64_EMIT_H

#include "base/bits.h"

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NO_REG = -1 };

/* Opcode: low byte; map and prefix above. */
enum {
    OP_0F = 1 << 8,
    OP_38 = 2 << 8,
    OP_3A = 3 << 8,
    OP_MAP = 3 << 8,
    OP_66 = 1 << 10,
    OP_F3 = 2 << 10,
    OP_F2 = 3 << 10,
    OP_PP = 3 << 10,
    OP_B = 1 << 12,   /* the register operand is a byte: REX for SPL…DIL */
    OP_BRM = 1 << 13, /* the r/m operand is a byte register */
    OP_W = 1 << 14,   /* REX.W / VEX.W */
    OP_L = 1 << 15,   /* VEX.L: 256 bits */
};

/* Condition codes of Jcc, SETcc, CMOVcc. */
enum x86_cc { X_O, X_NO, X_B, X_AE, X_E, X_NE, X_BE, X_A, X_S, X_NS, X_P, X_NP, X_L, X_GE, X_LE, X_G };

/* [base + index << scale + disp]; base NO_REG: absolute, or rip-relative to a label when label is set. */
struct mem {
    int8_t base, index;
    uint8_t scale;
    int32_t disp;
};
#define MEM(b, d) ((struct mem){.base = (b), .index = NO_REG, .disp = (d)})

/*
 * Emitting does not look where the buffer ends: asm_fits() does, before each piece of at most ASM_SLACK bytes. There
 * may be two such pieces behind its last yes.
 */
enum { ASM_SLACK = 4096 };
struct asmbuf {
    uint8_t *start, *p, *end;
    uint8_t *exec; /* address at which `start` will run */
    bool overflow;
};

static inline bool asm_fits(struct asmbuf *a)
{
    a->overflow |= a->end - a->p < 2 * ASM_SLACK;
    return !a->overflow;
}

static inline uint8_t *asm_exec(const struct asmbuf *a) { return a->exec + (a->p - a->start); }

static inline void emit8(struct asmbuf *a, uint8_t v)
{
    *a->p++ = v;
}

static inline void emit32(struct asmbuf *a, uint32_t v)
{
    uint8_t *p = a->p;
    memcpy(p, &v, 4);
    a->p = p + 4;
}

static inline void emit64(struct asmbuf *a, uint64_t v)
{
    emit32(a, v);
    emit32(a, v >> 32);
}

static inline void emit_align(struct asmbuf *a, unsigned n)
{
    while ((uintptr_t)asm_exec(a) & (n - 1))
        emit8(a, 0xcc);
}

/* --- prefixes, opcode, operands: put_…() write at p and return what is behind --- */

static inline uint8_t *put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
    return p + 4;
}

static inline uint8_t *put_opcode(uint8_t *p, unsigned op, int r, int x, int b)
{
    static const uint8_t pp[] = {0, 0x66, 0xf3, 0xf2};
    if (op & OP_PP)
        *p++ = pp[(op & OP_PP) >> 10];
    unsigned rex = (op & OP_W ? 8 : 0) | (r >= 8 ? 4 : 0) | (x >= 8 ? 2 : 0) | (b >= 8 ? 1 : 0);
    *p = 0x40 | rex;
    p += rex || (op & OP_B && r >= 4) || (op & OP_BRM && b >= 4);
    if (op & OP_MAP) {
        *p++ = 0x0f;
        if ((op & OP_MAP) != OP_0F)
            *p++ = (op & OP_MAP) == OP_38 ? 0x38 : 0x3a;
    }
    *p++ = op;
    return p;
}

static inline uint8_t *put_modrm_mem(uint8_t *p, int r, struct mem m)
{
    r = (r & 7) << 3;
    if (m.base == NO_REG) {
        *p++ = r | 4;
        *p++ = m.scale << 6 | (m.index == NO_REG ? 4 : m.index & 7) << 3 | 5;
        return put32(p, m.disp);
    }
    unsigned mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : m.disp == (int8_t)m.disp ? 0x40 : 0x80;
    bool sib = m.index != NO_REG || (m.base & 7) == RSP;
    *p++ = mod | r | (sib ? 4 : m.base & 7);
    *p = m.scale << 6 | (m.index == NO_REG ? 4 : m.index & 7) << 3 | (m.base & 7);
    p += sib;
    put32(p, m.disp); /* as much of it as counts */
    return p + (mod == 0x40 ? 1 : mod == 0x80 ? 4 : 0);
}

static inline void emit_opcode(struct asmbuf *a, unsigned op, int r, int x, int b)
{
    a->p = put_opcode(a->p, op, r, x, b);
}

static inline void emit_modrm_mem(struct asmbuf *a, int r, struct mem m)
{
    a->p = put_modrm_mem(a->p, r, m);
}

/* op reg, r/m register */
static inline void emit_rr(struct asmbuf *a, unsigned op, int reg, int rm)
{
    uint8_t *p = put_opcode(a->p, op, reg, 0, rm);
    *p++ = 0xc0 | (reg & 7) << 3 | (rm & 7);
    a->p = p;
}

/* op reg, memory */
static inline void emit_rm(struct asmbuf *a, unsigned op, int reg, struct mem m)
{
    a->p = put_modrm_mem(put_opcode(a->p, op, reg, m.index, m.base), reg, m);
}

/* op reg, [rip + distance to the executable address `at`]; `imm_bytes` follow the operand */
static inline void emit_rip(struct asmbuf *a, unsigned op, int reg, const void *at, unsigned imm_bytes)
{
    uint8_t *p = put_opcode(a->p, op, reg, 0, 0);
    *p++ = (reg & 7) << 3 | 5;
    a->p = p;
    emit32(a, (const uint8_t *)at - (asm_exec(a) + 4 + imm_bytes));
}

/* --- VEX (AVX, BMI): op reg, vvvv, r/m --- */

static inline void emit_vex(struct asmbuf *a, unsigned op, int r, int x, int b, int v)
{
    uint8_t *p = a->p;
    unsigned last = (~v & 15) << 3 | (op & OP_L ? 4 : 0) | (op & OP_PP) >> 10;
    if (x < 8 && b < 8 && (op & OP_MAP) == OP_0F && !(op & OP_W)) {
        *p++ = 0xc5;
        *p++ = (r < 8 ? 0x80 : 0) | last;
    } else {
        *p++ = 0xc4;
        *p++ = (r < 8 ? 0x80 : 0) | (x < 8 ? 0x40 : 0) | (b < 8 ? 0x20 : 0) | (op & OP_MAP) >> 8;
        *p++ = (op & OP_W ? 0x80 : 0) | last;
    }
    *p++ = op;
    a->p = p;
}

static inline void emit_vrr(struct asmbuf *a, unsigned op, int reg, int vvvv, int rm)
{
    emit_vex(a, op, reg, 0, rm, vvvv);
    emit8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void emit_vrm(struct asmbuf *a, unsigned op, int reg, int vvvv, struct mem m)
{
    emit_vex(a, op, reg, m.index, m.base, vvvv);
    emit_modrm_mem(a, reg, m);
}

static inline void emit_vrip(struct asmbuf *a, unsigned op, int reg, int vvvv, const void *at, unsigned imm_bytes)
{
    emit_vex(a, op, reg, 0, 0, vvvv);
    emit8(a, (reg & 7) << 3 | 5);
    emit32(a, (const uint8_t *)at - (asm_exec(a) + 4 + imm_bytes));
}

/* --- common integer instructions; w: 64-bit --- */

enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static inline unsigned op_w(bool w) { return w ? OP_W : 0; }

static inline void emit_alu(struct asmbuf *a, enum alu op, bool w, int dst, int src)
{
    emit_rr(a, (op << 3 | 1) | op_w(w), src, dst);
}

static inline void emit_alu_imm(struct asmbuf *a, enum alu op, bool w, int dst, int32_t imm)
{
    if (imm == (int8_t)imm) {
        emit_rr(a, 0x83 | op_w(w), op, dst);
        emit8(a, imm);
    } else {
        emit_rr(a, 0x81 | op_w(w), op, dst);
        emit32(a, imm);
    }
}

static inline void emit_alu_mem_imm(struct asmbuf *a, enum alu op, bool w, struct mem m, int32_t imm)
{
    if (imm == (int8_t)imm) {
        emit_rm(a, 0x83 | op_w(w), op, m);
        emit8(a, imm);
    } else {
        emit_rm(a, 0x81 | op_w(w), op, m);
        emit32(a, imm);
    }
}

static inline void emit_mov(struct asmbuf *a, bool w, int dst, int src) { emit_rr(a, 0x8b | op_w(w), dst, src); }
static inline void emit_load(struct asmbuf *a, bool w, int dst, struct mem m) { emit_rm(a, 0x8b | op_w(w), dst, m); }
static inline void emit_store(struct asmbuf *a, bool w, struct mem m, int src) { emit_rm(a, 0x89 | op_w(w), src, m); }

/* Any 64-bit constant; does not touch the flags when keep_flags. */
static inline void emit_const(struct asmbuf *a, int dst, uint64_t v, bool keep_flags)
{
    if (!v && !keep_flags) {
        emit_alu(a, ALU_XOR, false, dst, dst);
    } else if (v == (uint32_t)v) {
        emit_opcode(a, 0xb8 | (dst & 7), 0, 0, dst);
        emit32(a, v);
    } else if (v == (uint64_t)(int64_t)(int32_t)v) {
        emit_rr(a, 0xc7 | OP_W, 0, dst);
        emit32(a, v);
    } else {
        emit_opcode(a, 0xb8 | (dst & 7) | OP_W, 0, 0, dst);
        emit64(a, v);
    }
}

/* shift group: 0 ROL 1 ROR 4 SHL 5 SHR 7 SAR */
enum shift { SHIFT_ROL = 0, SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };

static inline void emit_shift_imm(struct asmbuf *a, enum shift op, bool w, int dst, unsigned n)
{
    emit_rr(a, 0xc1 | op_w(w), op, dst);
    emit8(a, n);
}

static inline void emit_shift_cl(struct asmbuf *a, enum shift op, bool w, int dst)
{
    emit_rr(a, 0xd3 | op_w(w), op, dst);
}

static inline void emit_lea(struct asmbuf *a, bool w, int dst, struct mem m) { emit_rm(a, 0x8d | op_w(w), dst, m); }

static inline void emit_push(struct asmbuf *a, int r) { emit_opcode(a, 0x50 | (r & 7), 0, 0, r); }
static inline void emit_pop(struct asmbuf *a, int r) { emit_opcode(a, 0x58 | (r & 7), 0, 0, r); }

/* --- jumps to known executable addresses --- */

static inline void emit_jmp(struct asmbuf *a, const void *to)
{
    emit8(a, 0xe9);
    emit32(a, (const uint8_t *)to - (asm_exec(a) + 4));
}

static inline void emit_call(struct asmbuf *a, const void *to)
{
    emit8(a, 0xe8);
    emit32(a, (const uint8_t *)to - (asm_exec(a) + 4));
}

static inline void emit_jcc(struct asmbuf *a, enum x86_cc cc, const void *to)
{
    emit8(a, 0x0f);
    emit8(a, 0x80 | cc);
    emit32(a, (const uint8_t *)to - (asm_exec(a) + 4));
}

/* Forward jumps: the returned place is filled by patch_here(). */
static inline uint8_t *emit_jcc_forward(struct asmbuf *a, enum x86_cc cc)
{
    emit8(a, 0x0f);
    emit8(a, 0x80 | cc);
    emit32(a, 0);
    return a->p;
}

static inline uint8_t *emit_jmp_forward(struct asmbuf *a)
{
    emit8(a, 0xe9);
    emit32(a, 0);
    return a->p;
}

static inline void patch_here(struct asmbuf *a, uint8_t *place)
{
    int32_t d = a->p - place;
    memcpy(place - 4, &d, 4);
}

#endif
