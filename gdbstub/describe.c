/* Target descriptions ("Target Descriptions" in Debugging with GDB), made from the target's tables, and signal numbers.
 */
#include "base/bits.h"
#include "gdbstub/gdbstub.h"

void gdb_describe(const struct target *t, const char *os, struct gdb_text *out)
{
    struct target_reg r;
    gdb_printf(out,
               "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target "
               "version=\"1.0\"><architecture>%s</architecture>",
               t->gdb_architecture);
    if (os)
        gdb_printf(out, "<osabi>%s</osabi>", os);
    for (const struct target_feature *f = t->features; f->name; f++) {
        gdb_printf(out, "<feature name=\"%s\">%s", f->name, f->types ? f->types : "");
        for (unsigned i = 0; register_row(f, i, &r); i++) {
            gdb_printf(out, "<reg name=\"%s\" bitsize=\"%u\"", r.name, 8 * r.size);
            if (r.type)
                gdb_printf(out, " type=\"%s\"", r.type);
            gdb_printf(out, "/>");
        }
        gdb_printf(out, "</feature>");
    }
    gdb_printf(out, "</target>");
}

/* gdb's numbers by Linux's (include/gdb/signals.def names them); SIGSTKFLT has none. */
static const uint8_t by_linux[] = {0,  1,  2,  3,  4,  5,  6,  10, 8,  9,  30, 11, 31, 13, 14, 15, 0,
                                   20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12, 77, 45,
                                   46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
                                   63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 78};

int gdb_signal_from_linux(int signo)
{
    enum { UNKNOWN = 143 };
    int n = signo >= 0 && signo < (int)ARRAY_SIZE(by_linux) ? by_linux[signo] : 0;
    return n || !signo ? n : UNKNOWN;
}

int gdb_signal_to_linux(int signal)
{
    for (unsigned i = 1; i < ARRAY_SIZE(by_linux); i++)
        if (signal && by_linux[i] == signal)
            return (int)i;
    return 0;
}
