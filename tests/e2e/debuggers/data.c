/* For debuggers: recursion, loops, structs, variables that change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    int value;
    const char *name;
    struct node *next;
};

static int total;
static long table[4] = {10, 20, 30, 40};
static struct node *list;

static int factorial(int n)
{
    if (n <= 1)
        return 1;
    return n * factorial(n - 1);
}

static int add(int a, int b)
{
    return a + b;
}

static double half(double x)
{
    return x / 2;
}

static void push(int value, const char *name)
{
    struct node *n = malloc(sizeof *n);
    n->value = value;
    n->name = name;
    n->next = list;
    list = n;
}

int main(int argc, char **argv)
{
    int i, product;
    for (i = 0; i < 4; i++) {
        total = add(total, (int)table[i]);
    }
    product = factorial(5);
    push(1, "one");
    push(2, "two");
    printf("total %d product %d half %.2f\n", total, product, half(product));
    printf("list %s %d\n", list->name, list->next->value);
    if (argc > 1)
        memset(*(char **)0, 0, 8);
    (void)argv;
    return total - 100;
}
