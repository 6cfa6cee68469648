/*
 * The op table of the intermediate representation: one row per op. The enum, printer, parser, verifier,
 * folding facts, interpreter and reference page all come from these rows.
 *
 * OP(NAME, result, args, props, meaning)
 *   result  type of the value it makes:  T the instruction's type; i I32; l I64; f F32; d F64; v V128; - none
 *   args    one letter per value argument, same letters, and S: the type in the instruction's `type2`
 *   props   IR_P_…, see ir.h
 *   meaning one line; t is the width of T in bits; `imm`, `cc`, `mem`… name fields of struct ir_inst
 *
 * Vector ops work on all lanes of a V128; the lane size is the field `lane` (LANE_B, _H, _S, _D: 8 to 64 bits).
 * Every op has a total meaning: no operand value is undefined, and no guest's special rule is built in,
 * except through `struct ir_guest.fp` (NaN choice and the like, see base/softfloat.h).
 */
#ifndef TCG_OPS_H
#define TCG_OPS_H

#define IR_OPS(OP)                                                                                            \
    /* --- values and guest registers ------------------------------------------------------------- */        \
    OP(NOP, "-", "", 0, "nothing; passes leave it where they removed an instruction")                         \
    OP(INSN, "-", "", IR_P_KEEP, "a guest instruction starts: imm = its pc, imm2 = its bits")                  \
    OP(CONST, "T", "", IR_P_PURE, "imm (I32: zero-extended; F32/F64: raw bits; V128: imm low, imm2 high)")     \
    OP(GET, "T", "", 0, "read guest register `slot`")                                                         \
    OP(PUT, "-", "T", IR_P_KEEP, "write guest register `slot`")                                               \
    /* --- integer, T is I32 or I64 -------------------------------------------------------------- */         \
    OP(ADD, "T", "TT", IR_P_PURE | IR_P_COMM, "a + b")                                                        \
    OP(SUB, "T", "TT", IR_P_PURE, "a - b")                                                                    \
    OP(NEG, "T", "T", IR_P_PURE, "-a")                                                                        \
    OP(MUL, "T", "TT", IR_P_PURE | IR_P_COMM, "low half of a * b")                                            \
    OP(MULHU, "T", "TT", IR_P_PURE | IR_P_COMM, "high half of unsigned a * b")                                \
    OP(MULHS, "T", "TT", IR_P_PURE | IR_P_COMM, "high half of signed a * b")                                  \
    OP(DIVU, "T", "TT", IR_P_PURE, "unsigned a / b; b = 0 gives all ones")                                    \
    OP(DIVS, "T", "TT", IR_P_PURE, "signed a / b towards zero; b = 0 gives -1, overflow gives a")             \
    OP(REMU, "T", "TT", IR_P_PURE, "unsigned remainder; b = 0 gives a")                                       \
    OP(REMS, "T", "TT", IR_P_PURE, "signed remainder (sign of a); b = 0 gives a, overflow gives 0")           \
    OP(AND, "T", "TT", IR_P_PURE | IR_P_COMM, "a & b")                                                        \
    OP(OR, "T", "TT", IR_P_PURE | IR_P_COMM, "a | b")                                                         \
    OP(XOR, "T", "TT", IR_P_PURE | IR_P_COMM, "a ^ b")                                                        \
    OP(ANDN, "T", "TT", IR_P_PURE, "a & ~b")                                                                  \
    OP(NOT, "T", "T", IR_P_PURE, "~a")                                                                        \
    OP(SHL, "T", "TT", IR_P_PURE, "a << (b mod t)")                                                           \
    OP(SHR, "T", "TT", IR_P_PURE, "a >> (b mod t), zeros in")                                                 \
    OP(SAR, "T", "TT", IR_P_PURE, "a >> (b mod t), sign in")                                                  \
    OP(ROTR, "T", "TT", IR_P_PURE, "a rotated right by b mod t")                                              \
    OP(EXTR, "T", "TT", IR_P_PURE, "low t bits of (a:b) >> imm, 0 < imm < t")                                 \
    OP(CLZ, "T", "T", IR_P_PURE, "leading zeros; 0 gives t")                                                  \
    OP(CTZ, "T", "T", IR_P_PURE, "trailing zeros; 0 gives t")                                                 \
    OP(POPCNT, "T", "T", IR_P_PURE, "ones")                                                                   \
    OP(BSWAP, "T", "T", IR_P_PURE, "bytes reversed")                                                          \
    OP(UBFX, "T", "T", IR_P_PURE, "imm2 bits of a from bit imm, zero-extended")                               \
    OP(SBFX, "T", "T", IR_P_PURE, "imm2 bits of a from bit imm, sign-extended")                               \
    OP(DEPOSIT, "T", "TT", IR_P_PURE, "a with imm2 bits from bit imm replaced by the low bits of b")          \
    OP(ZEXT, "l", "i", IR_P_PURE, "I32 to I64, zeros")                                                        \
    OP(SEXT, "l", "i", IR_P_PURE, "I32 to I64, sign")                                                         \
    OP(TRUNC, "i", "l", IR_P_PURE, "low 32 bits")                                                             \
    OP(SETCC, "i", "SS", IR_P_PURE, "1 if `a cc b` in type type2 (integer or float), else 0")                 \
    OP(SELCC, "T", "SSTT", IR_P_PURE, "c if `a cc b` in type type2, else d")                                  \
    OP(ADC, "T", "TTi", IR_P_PURE, "a + b + c, c is 0 or 1")                                                  \
    OP(CARRY, "i", "TTi", IR_P_PURE, "1 if a + b + c carries, in type type; cheap right behind such an ADC")  \
    /* NZCV as four bits, N=8 Z=4 C=2 V=1, Arm's meaning (C after a subtraction: no borrow). Back ends  */    \
    /* compute these late: where the only readers are PUTs, only on the exits that need them.           */    \
    OP(NZCV_ADC, "i", "TTi", IR_P_PURE | IR_P_LATE, "NZCV of a + b + c in type type")                         \
    OP(NZCV_ADD, "i", "TT", IR_P_PURE | IR_P_LATE, "NZCV of a + b")                                           \
    OP(NZCV_SUB, "i", "TT", IR_P_PURE | IR_P_LATE, "NZCV of a - b")                                           \
    OP(NZCV_LOGIC, "i", "T", IR_P_PURE | IR_P_LATE, "N and Z of a, C = V = 0")                                \
    OP(NZCV_FCMP, "i", "TT", IR_P_FLAGS | IR_P_LATE, "NZCV of a float comparison: < 8, = 6, > 2, unordered 3;" \
       " sub = 1: signals invalid on quiet NaNs too")                                                         \
    /* --- memory: address = arg base + (arg index << mem.scale) + imm; index may be absent --------- */      \
    OP(LD, "T", "ll", IR_P_FAULT | IR_P_LOAD, "load as `mem` says")                                           \
    OP(ST, "-", "llT", IR_P_FAULT | IR_P_STORE, "store c as `mem` says")                                      \
    OP(FENCE, "-", "", IR_P_BARRIER, "sub: IR_FENCE_…")                                                       \
    /* Atomic read-modify-write, sequentially consistent, size from `mem`; the result is the old value,  */   \
    /* zero- or sign-extended as `mem` says.                                                             */   \
    OP(CAS, "T", "lTT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "if [a] == b then [a] = c")                   \
    OP(AXCHG, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] = b")                                    \
    OP(AADD, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] += b")                                   \
    OP(AAND, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] &= b")                                   \
    OP(AXOR, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] ^= b")                                \
    OP(AOR, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] |= b")                                 \
    OP(ASMIN, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] = signed min([a], b)")                  \
    OP(ASMAX, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] = signed max([a], b)")                  \
    OP(AUMIN, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] = unsigned min([a], b)")                \
    OP(AUMAX, "T", "lT", IR_P_FAULT | IR_P_STORE | IR_P_BARRIER, "[a] = unsigned max([a], b)")                \
    /* --- leaving the unit ------------------------------------------------------------------------ */       \
    OP(LABEL, "-", "", IR_P_KEEP, "jumps of this unit to guest pc imm arrive here; no value made before is used behind; sub = 1: returns of its calls, too") \
    OP(GOTO, "-", "", IR_P_EXIT, "go to guest pc imm; sub: JUMP_PLAIN or JUMP_CALL (imm2: the return pc)")          \
    OP(GOTO_IF, "-", "SS", IR_P_SIDE_EXIT, "if `a cc b` in type2 go to guest pc imm, else go on")             \
    OP(GOTO_IND, "-", "l", IR_P_EXIT, "go to guest pc a; sub: JUMP_PLAIN, JUMP_CALL (imm2: return pc), JUMP_RETURN") \
    OP(TRAP, "-", "", IR_P_EXIT, "leave to the run loop: pc = imm, exit reason sub, detail imm2")             \
    OP(CALL, "T", "****", IR_P_CALL, "helper call: `helper` says signature and effects; arguments arg[0…]")   \
    /* --- scalar floating point, T is F32 or F64; rounding is the guest's dynamic mode ------------- */      \
    OP(FADD, "T", "TT", IR_P_FLAGS, "a + b")                                                                  \
    OP(FSUB, "T", "TT", IR_P_FLAGS, "a - b")                                                                  \
    OP(FMUL, "T", "TT", IR_P_FLAGS, "a * b")                                                                  \
    OP(FDIV, "T", "TT", IR_P_FLAGS, "a / b")                                                                  \
    OP(FSQRT, "T", "T", IR_P_FLAGS, "square root")                                                            \
    OP(FMA, "T", "TTT", IR_P_FLAGS, "a * b + c, one rounding")                                                \
    OP(FMIN, "T", "TT", IR_P_FLAGS, "minimum by the guest's rule, NaN in: NaN out")                           \
    OP(FMAX, "T", "TT", IR_P_FLAGS, "maximum, likewise")                                                      \
    OP(FMINNUM, "T", "TT", IR_P_FLAGS, "minimum, a quiet NaN loses against a number")                         \
    OP(FMAXNUM, "T", "TT", IR_P_FLAGS, "maximum, likewise")                                                   \
    OP(FNEG, "T", "T", IR_P_PURE, "sign flipped (NaNs too)")                                                  \
    OP(FABS, "T", "T", IR_P_PURE, "sign cleared (NaNs too)")                                                  \
    OP(FSGNJ, "T", "TT", IR_P_PURE, "a with b's sign")                                                        \
    OP(FRINT, "T", "T", IR_P_FLAGS, "to integral in rounding mode `rm`; sub = 1: no inexact flag")            \
    OP(FEXT, "d", "f", IR_P_FLAGS, "F32 to F64")                                                              \
    OP(FTRUNC, "f", "d", IR_P_FLAGS, "F64 to F32")                                                            \
    OP(STOF, "T", "S", IR_P_FLAGS, "signed integer of type2 to float")                                        \
    OP(UTOF, "T", "S", IR_P_FLAGS, "unsigned integer of type2 to float")                                      \
    OP(FTOS, "T", "S", IR_P_FLAGS, "float of type2 to signed integer, rounding mode `rm`, saturating")        \
    OP(FTOU, "T", "S", IR_P_FLAGS, "float of type2 to unsigned integer, likewise")                            \
    OP(BITCAST, "T", "S", IR_P_PURE, "the same bits: I32<->F32, I64<->F64")                                   \
    OP(NANBOX, "d", "f", IR_P_PURE, "F32 in the low half, ones above (RISC-V)")                               \
    OP(UNBOX, "f", "d", IR_P_PURE, "low half if the high half is all ones, else the default NaN (RISC-V)")    \
    OP(FFLAGS, "i", "", 0, "the guest's sticky flags: INVALID to INEXACT of enum fp_flags, bits 0 to 4")      \
    OP(FSETFLAGS, "-", "i", IR_P_KEEP, "they become the low five bits of a")                                  \
    /* --- vectors: moves -------------------------------------------------------------------------- */       \
    OP(VLOW, "T", "v", IR_P_PURE, "lane 0 as F32, F64, I32 or I64")                                           \
    OP(VZEXT, "v", "S", IR_P_PURE, "F32, F64, I32 or I64 in lane 0, zeros above")                             \
    OP(VDUP, "v", "S", IR_P_PURE, "every lane = low bits of an I32/I64")                                      \
    OP(VDUPL, "v", "v", IR_P_PURE, "every lane = lane imm of a")                                              \
    OP(VGET, "T", "v", IR_P_PURE, "lane imm to I32/I64; sub = 1: sign-extended, else zero-extended")          \
    OP(VSET, "v", "vS", IR_P_PURE, "a with lane imm replaced by the low bits of b (I32/I64)")                 \
    OP(VSETL, "v", "vv", IR_P_PURE, "a with lane imm replaced by lane imm2 of b")                             \
    OP(VLO64, "v", "v", IR_P_PURE, "low half kept, high half zero")                                           \
    OP(VHI64, "v", "v", IR_P_PURE, "high half moved low, zero above")                                         \
    OP(VCAT64, "v", "vv", IR_P_PURE, "low half of a, low half of b above it")                                 \
    OP(VEXT, "v", "vv", IR_P_PURE, "bytes imm… of a, then of b (16 bytes from (b:a) >> 8*imm)")               \
    OP(VZIP1, "v", "vv", IR_P_PURE, "interleave the low halves: a0 b0 a1 b1 …")                               \
    OP(VZIP2, "v", "vv", IR_P_PURE, "interleave the high halves")                                             \
    OP(VUZP1, "v", "vv", IR_P_PURE, "even lanes of a, then of b")                                             \
    OP(VUZP2, "v", "vv", IR_P_PURE, "odd lanes of a, then of b")                                              \
    OP(VTRN1, "v", "vv", IR_P_PURE, "a0 b0 a2 b2 …")                                                          \
    OP(VTRN2, "v", "vv", IR_P_PURE, "a1 b1 a3 b3 …")                                                          \
    OP(VTBL, "v", "vv", IR_P_PURE, "byte i = a[b[i]], or 0 where b[i] > 15")                                  \
    OP(VREV, "v", "v", IR_P_PURE, "lanes reversed within groups of imm bytes")                                \
    /* --- vectors: bits and integers -------------------------------------------------------------- */       \
    OP(VAND, "v", "vv", IR_P_PURE | IR_P_COMM, "a & b")                                                       \
    OP(VOR, "v", "vv", IR_P_PURE | IR_P_COMM, "a | b")                                                        \
    OP(VXOR, "v", "vv", IR_P_PURE | IR_P_COMM, "a ^ b")                                                       \
    OP(VANDN, "v", "vv", IR_P_PURE, "a & ~b")                                                                 \
    OP(VNOT, "v", "v", IR_P_PURE, "~a")                                                                       \
    OP(VBSL, "v", "vvv", IR_P_PURE, "bits of b where a is 1, of c where it is 0")                             \
    OP(VADD, "v", "vv", IR_P_PURE | IR_P_COMM, "a + b")                                                       \
    OP(VSUB, "v", "vv", IR_P_PURE, "a - b")                                                                   \
    OP(VMUL, "v", "vv", IR_P_PURE | IR_P_COMM, "low half of a * b (B, H, S)")                                 \
    OP(VNEG, "v", "v", IR_P_PURE, "-a")                                                                       \
    OP(VABS, "v", "v", IR_P_PURE, "|a|, the minimum stays")                                                   \
    OP(VUMIN, "v", "vv", IR_P_PURE | IR_P_COMM, "unsigned minimum")                                           \
    OP(VUMAX, "v", "vv", IR_P_PURE | IR_P_COMM, "unsigned maximum")                                           \
    OP(VSMIN, "v", "vv", IR_P_PURE | IR_P_COMM, "signed minimum")                                             \
    OP(VSMAX, "v", "vv", IR_P_PURE | IR_P_COMM, "signed maximum")                                             \
    OP(VUQADD, "v", "vv", IR_P_PURE | IR_P_COMM, "unsigned saturating add")                                   \
    OP(VSQADD, "v", "vv", IR_P_PURE | IR_P_COMM, "signed saturating add")                                     \
    OP(VUQSUB, "v", "vv", IR_P_PURE, "unsigned saturating subtract")                                          \
    OP(VSQSUB, "v", "vv", IR_P_PURE, "signed saturating subtract")                                            \
    OP(VUHADD, "v", "vv", IR_P_PURE | IR_P_COMM, "(a + b) >> 1, unsigned, no overflow")                       \
    OP(VURHADD, "v", "vv", IR_P_PURE | IR_P_COMM, "(a + b + 1) >> 1, unsigned, no overflow")                  \
    OP(VCMPEQ, "v", "vv", IR_P_PURE | IR_P_COMM, "all ones where a == b")                                     \
    OP(VCMPGTS, "v", "vv", IR_P_PURE, "all ones where a > b signed")                                          \
    OP(VCMPGTU, "v", "vv", IR_P_PURE, "all ones where a > b unsigned")                                        \
    OP(VCMPGES, "v", "vv", IR_P_PURE, "all ones where a >= b signed")                                         \
    OP(VCMPGEU, "v", "vv", IR_P_PURE, "all ones where a >= b unsigned")                                       \
    OP(VSHLI, "v", "v", IR_P_PURE, "a << imm, imm < lane bits")                                               \
    OP(VUSHRI, "v", "v", IR_P_PURE, "a >> imm, zeros; imm <= lane bits")                                      \
    OP(VSSHRI, "v", "v", IR_P_PURE, "a >> imm, sign; imm <= lane bits")                                       \
    OP(VUSHL, "v", "vv", IR_P_PURE, "a << b, b signed byte per lane, negative: right, zeros (Arm USHL)")      \
    OP(VSSHL, "v", "vv", IR_P_PURE, "the same with sign (Arm SSHL)")                                          \
    OP(VUWIDEN, "v", "v", IR_P_PURE, "low half's lanes zero-extended to twice their size (lane: the source's)") \
    OP(VSWIDEN, "v", "v", IR_P_PURE, "low half's lanes sign-extended, likewise")                              \
    OP(VNARROW, "v", "vv", IR_P_PURE, "low halves of a's lanes, then of b's (lane: the source's)")            \
    OP(VSQNARROW, "v", "vv", IR_P_PURE, "the same, signed saturating")                                        \
    OP(VUQNARROW, "v", "vv", IR_P_PURE, "the same, unsigned saturating")                                      \
    OP(VSQNARROWU, "v", "vv", IR_P_PURE, "the same, signed to unsigned saturating")                           \
    OP(VUMULL, "v", "vv", IR_P_PURE | IR_P_COMM, "low half's lanes multiplied to twice their size, unsigned") \
    OP(VSMULL, "v", "vv", IR_P_PURE | IR_P_COMM, "likewise, signed")                                          \
    OP(VPADD, "v", "vv", IR_P_PURE, "sums of neighbouring lanes of a, then of b")                             \
    OP(VUADDLP, "v", "v", IR_P_PURE, "sums of neighbouring lanes, twice as wide, unsigned")                   \
    OP(VSADDLP, "v", "v", IR_P_PURE, "likewise, signed")                                                      \
    OP(VABDU, "v", "vv", IR_P_PURE | IR_P_COMM, "|a - b| unsigned")                                           \
    OP(VABDS, "v", "vv", IR_P_PURE | IR_P_COMM, "|a - b| signed")                                             \
    OP(VCNT, "v", "v", IR_P_PURE, "ones in each byte")                                                        \
    OP(VTEST, "i", "v", IR_P_PURE, "1 if any bit is set")                                                     \
    OP(VMASK, "i", "v", IR_P_PURE, "top bit of each lane, as a number (lane B: 16 bits, S: 4 …)")             \
    /* --- vectors: floating point, lane S or D ------------------------------------------------------ */     \
    OP(VFADD, "v", "vv", IR_P_FLAGS, "a + b")                                                                 \
    OP(VFSUB, "v", "vv", IR_P_FLAGS, "a - b")                                                                 \
    OP(VFMUL, "v", "vv", IR_P_FLAGS, "a * b")                                                                 \
    OP(VFDIV, "v", "vv", IR_P_FLAGS, "a / b")                                                                 \
    OP(VFSQRT, "v", "v", IR_P_FLAGS, "square roots")                                                          \
    OP(VFMA, "v", "vvv", IR_P_FLAGS, "a * b + c, one rounding")                                               \
    OP(VFMIN, "v", "vv", IR_P_FLAGS, "as FMIN")                                                               \
    OP(VFMAX, "v", "vv", IR_P_FLAGS, "as FMAX")                                                               \
    OP(VFMINNUM, "v", "vv", IR_P_FLAGS, "as FMINNUM")                                                         \
    OP(VFMAXNUM, "v", "vv", IR_P_FLAGS, "as FMAXNUM")                                                         \
    OP(VFNEG, "v", "v", IR_P_PURE, "signs flipped")                                                           \
    OP(VFABS, "v", "v", IR_P_PURE, "signs cleared")                                                           \
    OP(VFCMPEQ, "v", "vv", IR_P_FLAGS, "all ones where a == b, quiet")                                        \
    OP(VFCMPGT, "v", "vv", IR_P_FLAGS, "all ones where a > b, signalling")                                    \
    OP(VFCMPGE, "v", "vv", IR_P_FLAGS, "all ones where a >= b, signalling")                                   \
    OP(VFRINT, "v", "v", IR_P_FLAGS, "to integral; imm: rounding mode, + IR_RM_QUIET: no inexact flag")       \
    OP(VSTOF, "v", "v", IR_P_FLAGS, "signed integer lanes to float of the same size")                         \
    OP(VUTOF, "v", "v", IR_P_FLAGS, "unsigned integer lanes to float of the same size")                       \
    OP(VFTOS, "v", "v", IR_P_FLAGS, "float lanes to signed integers, saturating; imm: rounding mode")         \
    OP(VFTOU, "v", "v", IR_P_FLAGS, "float lanes to unsigned integers, saturating; imm: rounding mode")       \
    OP(VFEXT, "v", "v", IR_P_FLAGS, "the two low F32 lanes to F64")                                           \
    OP(VFTRUNC, "v", "v", IR_P_FLAGS, "two F64 lanes to F32, zeros above")                                    \
    /* --- cryptography ---------------------------------------------------------------------------- */       \
    OP(AESENC, "v", "vv", IR_P_PURE, "AES ShiftRows, SubBytes of a ^ b (Arm AESE)")                           \
    OP(AESDEC, "v", "vv", IR_P_PURE, "AES inverse ShiftRows, SubBytes of a ^ b (Arm AESD)")                   \
    OP(AESMC, "v", "v", IR_P_PURE, "AES MixColumns")                                                          \
    OP(AESIMC, "v", "v", IR_P_PURE, "AES inverse MixColumns")                                                 \
    OP(CLMUL64, "v", "vv", IR_P_PURE | IR_P_COMM, "carry-less product of the low 64-bit lanes")               \
    OP(SHA256RNDS2, "v", "vvv", IR_P_PURE, "two SHA-256 rounds on a: H G D C, b: F E B A; c: W + K; F E B A") \
    OP(SHA256MSG1, "v", "vv", IR_P_PURE, "SHA-256 schedule: each word of a + sigma0 of the next one, b0 last") \
    OP(SHA256MSG2, "v", "vv", IR_P_PURE, "SHA-256 schedule: each word of a + sigma1 of b2, b3, and the results")

#endif
