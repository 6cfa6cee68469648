/*
 * Says of instruction words, one hexadecimal number a line on standard input, what the translator of a guest makes of
 * them: "ok PATTERN..." or "undefined PATTERN..." with the patterns that the word matches, or "broken MESSAGE" when the
 * unit it makes does not pass the verifier, before or after the optimizer. With --patterns: the pattern tables instead,
 * as lines "NAME WIDTH GROUP MASK VALUE [MASK VALUE...]" (the latter: exclusions).
 *
 * usage: decode-judge ARCH [--patterns]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decode.h"
#include "exec/target.h"
#include "tests/decode/tables.h"

enum { CODE_ADDRESS = 0x10000 };

static void print_patterns(const struct decode_table *t)
{
    for (unsigned i = 0; i < *t->npatterns; i++) {
        const struct decode_pattern *p = &t->patterns[i];
        printf("%s %u %d %#x %#x", p->name, t->width, p->group, p->bits.mask, p->bits.value);
        for (unsigned k = 0; k < p->nexcluded; k++)
            printf(" %#x %#x", p->excluded[k].mask, p->excluded[k].value);
        putchar('\n');
    }
}

static void print_matches(const struct decode_table *tables, unsigned width, uint32_t word)
{
    for (const struct decode_table *t = tables; t->patterns; t++)
        for (unsigned i = 0; t->width == width && i < *t->npatterns; i++)
            if (decode_matches(&t->patterns[i], word))
                printf(" %s", t->patterns[i].name);
    putchar('\n');
}

struct code {
    uint8_t bytes[4];
    size_t size;
};

static const uint8_t *window(void *opaque, uint64_t pc, size_t *avail)
{
    struct code *c = opaque;
    if (pc - CODE_ADDRESS >= c->size)
        return NULL;
    *avail = c->size - (pc - CODE_ADDRESS);
    return c->bytes + (pc - CODE_ADDRESS);
}

static void judge(const struct decode_arch *a, const struct target *target, uint32_t word)
{
    unsigned width = a->width_of(word);
    struct code code = {.size = width / 8};
    memcpy(code.bytes, &word, sizeof(word));
    struct code_reader reader = {.opaque = &code, .window = window};
    struct ir_unit u;
    struct ir_builder b;
    ir_unit_init(&u, target->ir, CODE_ADDRESS, 0);
    b_init(&b, &u);
    target->translate(&b, &reader, 1);
    const struct ir_inst *last = &u.inst[u.n - 1];
    bool defined = !(last->op == IR_TRAP && last->ir_sub == EXIT_ILLEGAL);
    const char *error = ir_verify(&u);
    if (!error) {
        ir_optimize(&u);
        error = ir_verify(&u);
    }
    if (!error && u.bytes != width / 8)
        error = "the unit has another length than the instruction";
    if (error) {
        printf("broken %s\n", error);
    } else {
        fputs(defined ? "ok" : "undefined", stdout);
        print_matches(a->tables, width, word);
    }
    ir_unit_free(&u);
}

int main(int argc, char **argv)
{
    const struct decode_arch *a = argc > 1 ? decode_archs : NULL;
    while (a && a->name && strcmp(a->name, argv[1]))
        a++;
    if (!a || !a->name || argc > 3 || (argc == 3 && strcmp(argv[2], "--patterns"))) {
        fprintf(stderr, "usage: decode-judge ARCH [--patterns]\n");
        return 2;
    }
    if (argc == 3) {
        for (const struct decode_table *t = a->tables; t->patterns; t++)
            print_patterns(t);
        return 0;
    }
    const struct target *target = target_by_name(a->name);
    char line[64];
    while (fgets(line, sizeof(line), stdin))
        judge(a, target, strtoul(line, NULL, 16));
    return 0;
}
