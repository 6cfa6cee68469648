/* Breakpoints and watchpoints: see debug.h. */
#include "exec/debug.h"

#include <stdlib.h>

#include "exec/exec-internal.h"

/* A list that grows; n is 0 for nearly every guest. */
struct breakpoint {
    uint64_t pc;
    unsigned uses;
};

struct watchpoint {
    uint64_t first, last;
    unsigned access;
};

static void *grown(void *list, unsigned n, size_t size) { return realloc(list, (n + 1) * size); }

static struct breakpoint *find_breakpoint(const struct exec *x, uint64_t pc)
{
    for (unsigned i = 0; i < x->debug.nbreak; i++)
        if (x->debug.breaks[i].pc == pc)
            return &x->debug.breaks[i];
    return NULL;
}

bool exec_has_breakpoint(const struct exec *x, uint64_t pc) { return find_breakpoint(x, pc); }

static bool change_breakpoint(struct exec *x, uint64_t pc, bool add, bool *changed)
{
    struct exec_debug *d = &x->debug;
    struct breakpoint *b = find_breakpoint(x, pc);
    if (b) {
        b->uses += add ? 1 : -1u;
        *changed = !b->uses;
        if (!b->uses)
            *b = d->breaks[--d->nbreak];
        return true;
    }
    b = add ? grown(d->breaks, d->nbreak, sizeof *b) : NULL;
    if (!b)
        return false;
    d->breaks = b;
    b[d->nbreak++] = (struct breakpoint){pc, 1};
    return *changed = true;
}

bool exec_breakpoint(struct exec *x, uint64_t pc, bool add)
{
    bool changed = false;
    shared_lock_take(&x->lock);
    if (add && x->disk.disk) { /* what others have stored has no breakpoints */
        x->disk.disk = NULL;
        exec_flush(x);
    }
    bool ok = change_breakpoint(x, pc, add, &changed);
    if (changed)
        exec_drop_pc(x, pc);
    shared_lock_give(&x->lock);
    return ok;
}

bool exec_watchpoint(struct exec *x, uint64_t address, uint64_t n, unsigned access, bool add)
{
    struct exec_debug *d = &x->debug;
    struct watchpoint w = {address, address + (n - 1), access};
    if (add) {
        struct watchpoint *list = grown(d->watches, d->nwatch, sizeof w);
        if (!list)
            return false;
        d->watches = list;
        list[d->nwatch++] = w;
        return true;
    }
    for (unsigned i = 0; i < d->nwatch; i++)
        if (d->watches[i].first == w.first && d->watches[i].last == w.last && d->watches[i].access == access) {
            d->watches[i] = d->watches[--d->nwatch];
            return true;
        }
    return false;
}

void exec_forget_debug(struct exec *x)
{
    while (x->debug.nbreak) {
        x->debug.breaks[0].uses = 1;
        exec_breakpoint(x, x->debug.breaks[0].pc, false);
    }
    free(x->debug.breaks);
    free(x->debug.watches);
    x->debug = (struct exec_debug){0};
}

bool exec_has_watchpoints(const struct exec *x) { return x->debug.nwatch; }

unsigned exec_watched(const struct exec *x, uint64_t address, uint64_t n, uint64_t *first)
{
    unsigned found = 0;
    for (unsigned i = 0; i < x->debug.nwatch; i++) {
        const struct watchpoint *w = &x->debug.watches[i];
        if (address > w->last || address + (n - 1) < w->first)
            continue;
        uint64_t from = w->first > address ? w->first : address;
        *first = found && *first < from ? *first : from;
        found |= w->access;
    }
    return found;
}
