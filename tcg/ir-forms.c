/* One row per op or run of ops alike; see ir-forms.h. */
#include "tcg/ir-forms.h"

#define I TYPES_INT
#define F TYPES_FLOAT

const struct ir_form ir_forms[IR_OP_COUNT] = {
    [IR_NOP] = {""},
    [IR_INSN] = {"pK"},
    [IR_CONST] = {"C", TYPES_ANY},
    [IR_GET] = {"s", TYPES_ANY},
    [IR_PUT] = {"s%", TYPES_ANY},
    /* integer */
    [IR_ADD ... IR_SUB] = {"%%", I},
    [IR_NEG] = {"%", I},
    [IR_MUL ... IR_ANDN] = {"%%", I},
    [IR_NOT] = {"%", I},
    [IR_SHL ... IR_ROTR] = {"%%", I},
    [IR_EXTR] = {"%%k", I},
    [IR_CLZ ... IR_BSWAP] = {"%", I},
    [IR_UBFX ... IR_SBFX] = {"%kK", I},
    [IR_DEPOSIT] = {"%%kK", I},
    [IR_ZEXT ... IR_TRUNC] = {"%"},
    [IR_SETCC] = {"c%%", 0, TYPES_SCALAR},
    [IR_SELCC] = {"c%%%%", TYPES_ANY, TYPES_SCALAR},
    [IR_ADC ... IR_NZCV_ADC] = {"%%%", I},
    [IR_NZCV_ADD ... IR_NZCV_SUB] = {"%%", I},
    [IR_NZCV_LOGIC] = {"%", I},
    [IR_NZCV_FCMP] = {"%%u", F},
    /* memory */
    [IR_LD] = {"mA", TYPES_ANY},
    [IR_ST] = {"mA%", TYPES_ANY},
    [IR_FENCE] = {"f"},
    [IR_CAS] = {"m%%%", I | TYPES_VECTOR},
    [IR_AXCHG] = {"m%%", I | TYPES_VECTOR},
    [IR_AADD ... IR_AUMAX] = {"m%%", I},
    /* leaving */
    [IR_LABEL] = {"pbd"},
    [IR_GOTO] = {"pjd"},
    [IR_GOTO_IF] = {"c%%pd", 0, TYPES_SCALAR},
    [IR_GOTO_IND] = {"%j"},
    [IR_TRAP] = {"puK"},
    [IR_CALL] = {"h"},
    /* scalar floating point */
    [IR_FADD ... IR_FDIV] = {"%%", F},
    [IR_FSQRT] = {"%", F},
    [IR_FMA] = {"%%%", F},
    [IR_FMIN ... IR_FMAXNUM] = {"%%", F},
    [IR_FNEG ... IR_FABS] = {"%", F},
    [IR_FSGNJ] = {"%%", F},
    [IR_FRINT] = {"r%q", F},
    [IR_FEXT ... IR_FTRUNC] = {"%"},
    [IR_STOF ... IR_UTOF] = {"%", F, I},
    [IR_FTOS ... IR_FTOU] = {"r%", I, F},
    [IR_BITCAST] = {"%", TYPES_SCALAR, TYPES_SCALAR},
    [IR_NANBOX ... IR_UNBOX] = {"%"},
    [IR_FFLAGS] = {""},
    [IR_FSETFLAGS] = {"%"},
    /* vector moves */
    [IR_VLOW] = {"%", TYPES_SCALAR},
    [IR_VZEXT] = {"%", 0, TYPES_SCALAR},
    [IR_VDUP] = {"%", 0, I, LANES_ALL},
    [IR_VDUPL] = {"%k", 0, 0, LANES_ALL},
    [IR_VGET] = {"%ku", I, 0, LANES_ALL},
    [IR_VSET] = {"%%k", 0, I, LANES_ALL},
    [IR_VSETL] = {"%%kK", 0, 0, LANES_ALL},
    [IR_VLO64 ... IR_VHI64] = {"%"},
    [IR_VCAT64] = {"%%"},
    [IR_VEXT] = {"%%k"},
    [IR_VZIP1 ... IR_VTRN2] = {"%%", 0, 0, LANES_ALL},
    [IR_VTBL] = {"%%"},
    [IR_VREV] = {"%k", 0, 0, LANES_BHS},
    /* vector integers */
    [IR_VAND ... IR_VANDN] = {"%%"},
    [IR_VNOT] = {"%"},
    [IR_VBSL] = {"%%%"},
    [IR_VADD ... IR_VSUB] = {"%%", 0, 0, LANES_ALL},
    [IR_VMUL] = {"%%", 0, 0, LANES_BHS},
    [IR_VNEG ... IR_VABS] = {"%", 0, 0, LANES_ALL},
    [IR_VUMIN ... IR_VCMPGEU] = {"%%", 0, 0, LANES_ALL},
    [IR_VSHLI ... IR_VSSHRI] = {"%k", 0, 0, LANES_ALL},
    [IR_VUSHL ... IR_VSSHL] = {"%%", 0, 0, LANES_ALL},
    [IR_VUWIDEN ... IR_VSWIDEN] = {"%", 0, 0, LANES_BHS},
    [IR_VNARROW ... IR_VSQNARROWU] = {"%%", 0, 0, LANES_HSD},
    [IR_VUMULL ... IR_VSMULL] = {"%%", 0, 0, LANES_BHS},
    [IR_VPADD] = {"%%", 0, 0, LANES_ALL},
    [IR_VUADDLP ... IR_VSADDLP] = {"%", 0, 0, LANES_BHS},
    [IR_VABDU ... IR_VABDS] = {"%%", 0, 0, LANES_ALL},
    [IR_VCNT ... IR_VTEST] = {"%"},
    [IR_VMASK] = {"%", 0, 0, LANES_ALL},
    /* vector floating point */
    [IR_VFADD ... IR_VFDIV] = {"%%", 0, 0, LANES_SD},
    [IR_VFSQRT] = {"%", 0, 0, LANES_SD},
    [IR_VFMA] = {"%%%", 0, 0, LANES_SD},
    [IR_VFMIN ... IR_VFMAXNUM] = {"%%", 0, 0, LANES_SD},
    [IR_VFNEG ... IR_VFABS] = {"%", 0, 0, LANES_SD},
    [IR_VFCMPEQ ... IR_VFCMPGE] = {"%%", 0, 0, LANES_SD},
    [IR_VFRINT] = {"R%", 0, 0, LANES_SD},
    [IR_VSTOF ... IR_VUTOF] = {"%", 0, 0, LANES_SD},
    [IR_VFTOS ... IR_VFTOU] = {"R%", 0, 0, LANES_SD},
    [IR_VFEXT ... IR_VFTRUNC] = {"%"},
    /* cryptography */
    [IR_AESENC ... IR_AESDEC] = {"%%"},
    [IR_AESMC ... IR_AESIMC] = {"%"},
    [IR_CLMUL64] = {"%%"},
    [IR_SHA256RNDS2] = {"%%%"},
    [IR_SHA256MSG1 ... IR_SHA256MSG2] = {"%%"},
};

/* enum fp_round of base/softfloat.h */
const char *const ir_rm_names[8] = {"rne", "rtz", "rdn", "rup", "rna", "rod", NULL, "dyn"};
const char *const ir_fence_names[3] = {"full", "load", "store"};
const char *const ir_jump_names[3] = {"plain", "call", "return"};
const char ir_lane_letters[4] = {'b', 'h', 's', 'd'};
