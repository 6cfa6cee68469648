/* The form of each op's instructions: what printer, parser and verifier know beyond the op table. */
#ifndef TCG_IR_FORMS_H
#define TCG_IR_FORMS_H

#include "tcg/ir.h"

/* Sets of types: 1 << enum ir_type. */
enum {
    TYPES_INT = 1 << IR_I32 | 1 << IR_I64,
    TYPES_FLOAT = 1 << IR_F32 | 1 << IR_F64,
    TYPES_SCALAR = TYPES_INT | TYPES_FLOAT,
    TYPES_VECTOR = 1 << IR_V128,
    TYPES_ANY = TYPES_SCALAR | TYPES_VECTOR,
};
/* Sets of lanes: 1 << enum ir_lane. */
enum {
    LANES_BHS = 1 << LANE_B | 1 << LANE_H | 1 << LANE_S,
    LANES_HSD = 1 << LANE_H | 1 << LANE_S | 1 << LANE_D,
    LANES_SD = 1 << LANE_S | 1 << LANE_D,
    LANES_ALL = LANES_BHS | 1 << LANE_D,
};

struct ir_form {
    /*
     * The fields of the text form in order, after the name and its suffixes (T if `types`, S if `types2`, the lane if
     * `lanes`):
     *   %  next value argument     A  address: base + index << scale + imm     c  condition    m  memory access
     *   s  slot                    p  imm as an address                        k  imm          K  imm2
     *   u  sub                     j  kind of jump, with imm2                  d  dead slot    f  kind of fence
     *   r  rounding mode in `rm`   R  rounding mode in imm                     q  "quiet" if sub
     *   C  a constant's bits       h  helper and its arguments                  b  "border" if sub
     */
    const char *syntax;
    uint8_t types, types2; /* what T and S may be */
    uint8_t lanes;         /* what `lane` may be; 0: it is not used and 0 */
};
extern const struct ir_form ir_forms[IR_OP_COUNT];

extern const char *const ir_rm_names[8], *const ir_fence_names[3], *const ir_jump_names[3];
extern const char ir_lane_letters[4];

#endif
