/* Fibonacci numbers by their definition and Ackermann's function: calls and returns, nothing else. */
#include "../bench.h"

/* The compiler may not turn the recursion into loops. */
#define PLAIN __attribute__((noipa, optimize("no-optimize-sibling-calls")))

PLAIN static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

PLAIN static unsigned ackermann(unsigned m, unsigned n)
{
    return !m ? n + 1 : ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

int main(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < 24; i++)
        sum = mix(sum, fib(33) + ackermann(2, 500 + i));
    return report(sum);
}
