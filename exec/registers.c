/* See registers.h. */
#include "exec/registers.h"

#include <string.h>

bool register_row(const struct target_feature *f, unsigned i, struct target_reg *out)
{
    if (!f->regs)
        return f->row(i, out);
    if (i >= f->nregs)
        return false;
    *out = f->regs[i];
    return true;
}

bool register_by_number(const struct target *t, unsigned number, struct target_reg *out)
{
    for (const struct target_feature *f = t->features; f->name; f++) {
        if (f->regs && number >= f->nregs) {
            number -= f->nregs;
            continue;
        }
        if (register_row(f, number, out))
            return true;
        for (unsigned i = 0; !f->regs && register_row(f, i, out); i++)
            number--;
    }
    return false;
}

void register_read(struct cpu *cpu, const struct target_reg *r, void *out)
{
    if (r->offset) {
        memcpy(out, (const char *)cpu + r->offset, r->size);
        return;
    }
    uint64_t value = r->get(cpu, r->number);
    memcpy(out, &value, r->size);
}

bool register_write(struct cpu *cpu, const struct target_reg *r, const void *in)
{
    uint64_t value = 0;
    if (r->offset)
        memcpy((char *)cpu + r->offset, in, r->size);
    else if (r->set) {
        memcpy(&value, in, r->size);
        r->set(cpu, r->number, value);
    }
    return r->offset || r->set;
}
