/* Primes below 4 million by the sieve of Eratosthenes: byte stores with a stride, a simple counting loop. */
#include "../bench.h"

enum { LIMIT = 4000000 };
static uint8_t composite[LIMIT];

int main(void)
{
    uint64_t sum = 0;
    for (int round = 0; round < 80; round++) {
        memset(composite, 0, sizeof composite);
        for (uint32_t i = 2; i * i < LIMIT; i++)
            if (!composite[i])
                for (uint32_t j = i * i; j < LIMIT; j += i)
                    composite[j] = 1;
        uint32_t count = 0;
        for (uint32_t i = 2 + round; i < LIMIT; i++)
            count += !composite[i];
        sum = mix(sum, count);
    }
    return report(sum);
}
