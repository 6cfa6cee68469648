/*
 * The pipeline. The builder has folded and merged already; what is left needs to know the readers of a value. In
 * builds with assertions the verifier stands before and behind every pass.
 */
#include "tcg/passes.h"

#include "base/log.h"

static void verified(const struct ir_unit *u, const char *after)
{
#ifndef NDEBUG
    const char *error = ir_verify(u);
    if (error) {
        ir_print(stderr, u);
        BUG("the unit at guest pc 0x%llx is wrong after %s: %s", (unsigned long long)u->pc, after, error);
    }
#endif
}

void ir_optimize(struct ir_unit *u)
{
    verified(u, "the front end");
    ir_pass_compare(u);
    verified(u, "compare");
    ir_pass_dead(u);
    verified(u, "dead");
}

void ir_vectorize(struct ir_unit *u)
{
    ir_pass_loops(u);
    verified(u, "loops");
}
