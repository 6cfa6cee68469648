/* A chained hash table with inserts, look-ups and removals, and a walk of a shuffled list: dependent loads. */
#include "../bench.h"

enum { BUCKETS = 1 << 14, KEYS = 60000, LIST = 1 << 15 };
struct node {
    struct node *next;
    uint64_t key, value;
};
static struct node *bucket[BUCKETS], pool[KEYS], list[LIST];

static struct node **find(uint64_t key)
{
    struct node **p = &bucket[(key * 0x9e3779b97f4a7c15) >> 50];
    while (*p && (*p)->key != key)
        p = &(*p)->next;
    return p;
}

int main(void)
{
    static uint32_t order[LIST];
    uint64_t sum = 0;
    struct node *spare = NULL;
    for (int i = 0; i < KEYS; i++) {
        pool[i].next = spare;
        spare = &pool[i];
    }
    for (int i = 0; i < 20000000; i++) {
        uint64_t key = rnd() % KEYS;
        struct node **p = find(key), *n = *p;
        if (!n) {
            n = spare;
            spare = n->next;
            *n = (struct node){NULL, key, i};
            *p = n;
        } else if (i & 3) {
            sum += n->value++;
        } else {
            *p = n->next;
            n->next = spare;
            spare = n;
        }
    }
    for (int i = 0; i < LIST; i++)
        order[i] = i;
    for (int i = LIST - 1; i > 0; i--) {
        int j = rnd() % (i + 1);
        uint32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (int i = 0; i < LIST; i++)
        list[order[i]] = (struct node){&list[order[(i + 1) % LIST]], i, 0};
    const struct node *n = list;
    for (int i = 0; i < 40 * LIST; i++, n = n->next)
        sum = sum * 3 + n->key;
    return report(sum);
}
