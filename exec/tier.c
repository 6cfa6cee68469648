/*
 * The two tiers of generated code. Quick units are made when a guest address is first reached: short, cheap to make,
 * each counting its entries. A quick unit whose counter has run out is compiled again, well: the hot unit is found in
 * its stead from then on, exits that were linked to the quick one are pointed at it, and so is the quick unit's own way
 * out, which every entry takes that still arrives there.
 */
#include "exec/exec-internal.h"

#include "base/log.h"

enum { HOT_AFTER = 3000 }; /* entries: by measurement, docs/design/tiers.rst */

int32_t tier_first_count(const struct exec *x)
{
    uint32_t after = x->options.hot_after ? x->options.hot_after : HOT_AFTER;
    if (x->options.nochain && after == 1) /* the way out at the first entry would be seen: tier_is_hot() */
        after = 2;
    return x->options.tier == TIER_QUICK ? INT32_MAX : (int32_t)after - 1;
}

bool tier_starts_quick(const struct exec *x)
{
    return x->options.counted || (x->host && x->options.tier != TIER_HOT && !x->options.one_insn);
}

bool tier_is_hot(const struct exec *x, const struct code_block *b, const struct code_exit *from)
{
    if (!b->quick || x->options.tier == TIER_QUICK || !b->c.counter)
        return false;
    /* Where exits are not linked the way out would be seen: such units are replaced just before it. */
    return from == b->c.promote || (x->options.nochain && *b->c.counter <= 0);
}

bool tier_is_warm(const struct exec *x, const struct code_block *quick)
{
    enum { PART = 32 }; /* of the entries that make it hot */
    int32_t first = tier_first_count(x), now = quick->c.counter ? *quick->c.counter : 0;
    return now > first || first - now >= first / PART; /* more than at first: tier_wait() */
}

void tier_wait(struct code_block *quick)
{
    enum { MORE = 4000 };
    *quick->c.counter = MORE;
}

void tier_replace(struct exec *x, struct code_block *quick, struct code_block *hot)
{
    while (quick->incoming) {
        struct code_exit *e = quick->incoming;
        quick->incoming = e->next_in;
        exec_link(e, hot);
    }
    if (!x->options.nochain)
        exec_link(quick->c.promote, hot);
    exec_forget_jumps(x, quick->pc, quick->pc + 1);
    /* A counter that is just being counted down may lose this: it runs out again. */
    *quick->c.counter = 0; /* it is out at every entry from code that jumps to it directly */
    x->stats.promotions++;
}
