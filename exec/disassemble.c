/* Disassembly by capstone, also where it is too old to have RISC-V: see disassemble.h. */
#include "exec/disassemble.h"

#include <capstone/capstone.h>
#include <inttypes.h>

#include "base/late.h"

#if CS_API_MAJOR < 5
enum { CS_ARCH_RISCV = CS_ARCH_MAX, CS_MODE_RISCV64 = 0, CS_MODE_RISCVC = 0 };
#endif

static const struct {
    int arch, mode;
    uint8_t step; /* bytes that are printed of what is no instruction */
} table[] = {
    [ISA_AARCH64] = {CS_ARCH_ARM64, CS_MODE_ARM, 4},
    [ISA_RISCV64] = {CS_ARCH_RISCV, CS_MODE_RISCV64 | CS_MODE_RISCVC, 4},
    [ISA_X86_64] = {CS_ARCH_X86, CS_MODE_64, 1},
};

void disassemble(FILE *f, enum isa isa, const uint8_t *code, size_t size, uint64_t at)
{
    csh cs;
    late_relocate(); /* capstone's tables */
    if (cs_open((cs_arch)table[isa].arch, (cs_mode)table[isa].mode, &cs) != CS_ERR_OK) {
        fprintf(f, "  (capstone lacks this architecture)\n");
        return;
    }
    cs_insn *insn = cs_malloc(cs);
    while (size) {
        const uint8_t *start = code;
        if (cs_disasm_iter(cs, &code, &size, &at, insn)) {
            fprintf(f, "  0x%08" PRIx64 ":  %-10s %s\n", insn->address, insn->mnemonic, insn->op_str);
        } else {
            size_t n = size < table[isa].step ? size : table[isa].step;
            fprintf(f, "  0x%08" PRIx64 ":  .byte", at);
            for (size_t i = 0; i < n; i++)
                fprintf(f, " %02x", start[i]);
            fputc('\n', f);
            code += n;
            size -= n;
            at += n;
        }
    }
    cs_free(insn, 1);
    cs_close(&cs);
}
