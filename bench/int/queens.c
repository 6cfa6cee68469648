/* Solutions of the 12-queens problem by bit masks: recursion, bit tricks, unpredictable branches. */
#include "../bench.h"

static unsigned nodes;

__attribute__((noinline)) static unsigned place(unsigned all, unsigned columns, unsigned left, unsigned right)
{
    unsigned found = 0;
    nodes++;
    if (columns == all)
        return 1;
    for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
        unsigned bit = free & -free;
        found += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return found;
}

int main(void)
{
    uint64_t sum = 0;
    for (unsigned n = 4; n <= 14; n++)
        sum = mix(sum, place((1u << n) - 1, 0, 0, 0));
    return report(mix(sum, nodes));
}
