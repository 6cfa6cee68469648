#include <stdio.h>

unsigned all(unsigned x);

int main(void)
{
    unsigned x = 1;
    for (int i = 0; i < 1000; i++)
        x = all(x);
    printf("%u\n", x);
    return 0;
}
