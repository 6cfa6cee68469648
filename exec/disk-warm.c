/* Translating code that nobody has run yet, from known beginnings along direct jumps, calls and what follows calls. */
#include <stdlib.h>

#include "base/log.h"
#include "exec/disk-internal.h"

/* Bytes of code made of one file: a cache file is read whole by each process that uses it. */
enum { MAX_CODE = 4 << 20 };

struct todo {
    uint64_t *pc;
    size_t n, room;
};

static void add(struct todo *t, uint64_t pc)
{
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 256;
        t->pc = realloc(t->pc, t->room * sizeof *t->pc);
        CHECK(t->pc);
    }
    t->pc[t->n++] = pc;
}

/* Translates from pc on; false: enough. */
static bool follow(struct exec *x, struct cpu *cpu, uint64_t pc, struct todo *t)
{
    add(t, pc);
    while (t->n) {
        pc = t->pc[--t->n];
        const struct image *im = disk_image_of(x, pc);
        uint64_t units = x->stats.units, mode = cpu->mode;
        if (x->stats.host_bytes > MAX_CODE)
            return false;
        if (!exec_block(x, cpu, (struct block_key){pc, pc, mode}, NULL, false) || units == x->stats.units)
            continue;
        for (uint32_t i = 0; i < x->disk.nrefs; i++) { /* of the unit that was made */
            const struct code_ref *r = &x->disk.refs[i];
            if ((r->kind == REF_JUMP || r->kind == REF_CALL) && (!im || disk_image_of(x, r->pc) == im))
                add(t, r->pc);
        }
    }
    return true;
}

uint64_t exec_warm(struct cpu *cpu, const uint64_t *pc, size_t n)
{
    struct exec *x = cpu->exec;
    struct todo t = {0};
    if (!x->disk.disk)
        return 0;
    x->disk.at_once = true;
    shared_lock_take(&x->lock);
    for (size_t i = 0; i < n && follow(x, cpu, pc[i], &t); i++)
        ;
    shared_lock_give(&x->lock);
    free(t.pc);
    exec_save(x, true);
    return x->stats.disk_stored;
}
