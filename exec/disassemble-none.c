/* For a metic built without capstone: the code's bytes. See disassemble.h. */
#include "exec/disassemble.h"

#include <inttypes.h>

void disassemble(FILE *f, enum isa isa, const uint8_t *code, size_t size, uint64_t at)
{
    enum { PER_LINE = 16 };
    for (size_t i = 0; i < size; i++) {
        if (i % PER_LINE == 0)
            fprintf(f, "%s  0x%08" PRIx64 ":  .byte", i ? "\n" : "", at + i);
        fprintf(f, " %02x", code[i]);
    }
    fputc('\n', f);
}
