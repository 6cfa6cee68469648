/* Classic BPF for seccomp: what is a program, and running one. See bpf.h. */
#include "linux-user/bpf.h"

#include <string.h>

enum { SHIFTS = 32 };

/* The instructions that a filter may have: those on words of the data, without packets and without remainders. */
static bool is_known(const struct sock_filter *i)
{
    switch (i->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return i->k < sizeof(struct seccomp_data) && i->k % sizeof(uint32_t) == 0;
    case BPF_ALU | BPF_DIV | BPF_K:
        return i->k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
        return i->k < SHIFTS;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
        return i->k < BPF_MEMWORDS;
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_ALU | BPF_ADD | BPF_K:
    case BPF_ALU | BPF_ADD | BPF_X:
    case BPF_ALU | BPF_SUB | BPF_K:
    case BPF_ALU | BPF_SUB | BPF_X:
    case BPF_ALU | BPF_MUL | BPF_K:
    case BPF_ALU | BPF_MUL | BPF_X:
    case BPF_ALU | BPF_DIV | BPF_X:
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_ALU | BPF_AND | BPF_X:
    case BPF_ALU | BPF_OR | BPF_K:
    case BPF_ALU | BPF_OR | BPF_X:
    case BPF_ALU | BPF_XOR | BPF_K:
    case BPF_ALU | BPF_XOR | BPF_X:
    case BPF_ALU | BPF_LSH | BPF_X:
    case BPF_ALU | BPF_RSH | BPF_X:
    case BPF_ALU | BPF_NEG:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_JMP | BPF_JA:
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JEQ | BPF_X:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_X:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_X:
    case BPF_JMP | BPF_JSET | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_X:
        return true;
    default:
        return false;
    }
}

/*
 * Jumps go forward and stay inside; at each instruction the cells of memory that are read were written on every way to
 * it.
 */
static bool flows(const struct sock_filter *f, unsigned n)
{
    uint16_t written[BPF_MAXINSNS], now = 0; /* bit: the cell is written */
    memset(written, 0xff, sizeof written);
    for (unsigned at = 0; at < n; at++) {
        const struct sock_filter *i = &f[at];
        now &= written[at];
        if (BPF_CLASS(i->code) == BPF_ST || BPF_CLASS(i->code) == BPF_STX) {
            now |= (uint16_t)(1u << i->k);
        } else if (i->code == (BPF_LD | BPF_MEM) || i->code == (BPF_LDX | BPF_MEM)) {
            if (!(now >> i->k & 1))
                return false;
        } else if (BPF_CLASS(i->code) == BPF_JMP) {
            unsigned left = n - at - 1;
            bool always = i->code == (BPF_JMP | BPF_JA);
            uint32_t far[2] = {always ? i->k : i->jt, always ? i->k : i->jf};
            if (far[0] >= left || far[1] >= left)
                return false;
            written[at + 1 + far[0]] &= now;
            written[at + 1 + far[1]] &= now;
            now = UINT16_MAX;
        } else if (BPF_CLASS(i->code) == BPF_RET) {
            now = UINT16_MAX;
        }
    }
    return true;
}

bool bpf_is_valid(const struct sock_filter *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!is_known(&f[i]))
            return false;
    return BPF_CLASS(f[n - 1].code) == BPF_RET && flows(f, n);
}

uint32_t bpf_run(const struct sock_filter *f, const struct seccomp_data *data)
{
    uint32_t a = 0, x = 0, cell[BPF_MEMWORDS];
    for (;; f++) {
        uint32_t k = f->k, operand = BPF_SRC(f->code) == BPF_X ? x : k;
        bool taken = false;
        switch (BPF_CLASS(f->code)) {
        case BPF_LD:
        case BPF_LDX: {
            uint32_t value = k;
            if (BPF_MODE(f->code) == BPF_ABS)
                memcpy(&value, (const char *)data + k, sizeof value);
            else if (BPF_MODE(f->code) == BPF_MEM)
                value = cell[k];
            else if (BPF_MODE(f->code) == BPF_LEN)
                value = sizeof *data;
            *(BPF_CLASS(f->code) == BPF_LD ? &a : &x) = value;
            break;
        }
        case BPF_ST:
            cell[k] = a;
            break;
        case BPF_STX:
            cell[k] = x;
            break;
        case BPF_MISC:
            if (BPF_MISCOP(f->code) == BPF_TAX)
                x = a;
            else
                a = x;
            break;
        case BPF_RET:
            return BPF_RVAL(f->code) == BPF_A ? a : k;
        case BPF_ALU:
            switch (BPF_OP(f->code)) {
            case BPF_ADD: a += operand; break;
            case BPF_SUB: a -= operand; break;
            case BPF_MUL: a *= operand; break;
            case BPF_DIV:
                if (!operand)
                    return 0;
                a /= operand;
                break;
            case BPF_AND: a &= operand; break;
            case BPF_OR: a |= operand; break;
            case BPF_XOR: a ^= operand; break;
            case BPF_LSH: a <<= operand & (SHIFTS - 1); break;
            case BPF_RSH: a >>= operand & (SHIFTS - 1); break;
            case BPF_NEG: a = -a; break;
            }
            break;
        case BPF_JMP:
            switch (BPF_OP(f->code)) {
            case BPF_JA: f += k; continue;
            case BPF_JEQ: taken = a == operand; break;
            case BPF_JGT: taken = a > operand; break;
            case BPF_JGE: taken = a >= operand; break;
            case BPF_JSET: taken = a & operand; break;
            }
            f += taken ? f->jt : f->jf;
            break;
        }
    }
}
