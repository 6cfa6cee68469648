/*
 * The decoders that decodegen makes of tables/good*.decode: arguments, order of choices, exclusions, shared handlers.
 */
#include <criterion/criterion.h>

#include "tests/decode/decode-small.h"
#include "tests/decode/decode-small16.h"

/* What the last handler saw. */
struct DisasContext {
    const char *pattern;
    int a, b, c;
    bool refuse_first;
};

static bool seen(struct DisasContext *s, const char *pattern, int a, int b, int c)
{
    s->pattern = pattern;
    s->a = a;
    s->b = b;
    s->c = c;
    return true;
}

int small_map(struct DisasContext *s, int value) { return value * 3; }
bool small_trans_SEGMENTS(struct DisasContext *s, arg_SEGMENTS *a) { return seen(s, "SEGMENTS", a->imm, 0, 0); }
bool small_trans_SCALED(struct DisasContext *s, arg_SCALED *a) { return seen(s, "SCALED", a->imm, 0, 0); }
bool small_trans_MAPPED(struct DisasContext *s, arg_MAPPED *a) { return seen(s, "MAPPED", a->imm, a->low, 0); }
bool small_trans_PAIR(struct DisasContext *s, arg_PAIR *a) { return seen(s, "PAIR", a->left, a->right, a->kind); }
bool small_trans_NOTHING(struct DisasContext *s, arg_NOTHING *a) { return seen(s, "NOTHING", 0, 0, 0); }
bool small_trans_SECOND(struct DisasContext *s, arg_SECOND *a) { return seen(s, "SECOND", a->a, a->b, 0); }
bool small_trans_SOME(struct DisasContext *s, arg_SOME *a) { return seen(s, "SOME", a->a, a->b, 0); }
bool small_trans_REST(struct DisasContext *s, arg_REST *a) { return seen(s, "REST", a->c, 0, 0); }
bool small_trans_LAST(struct DisasContext *s, arg_LAST *a) { return seen(s, "LAST", a->d, 0, 0); }

bool small16_trans_OWN(struct DisasContext *s, arg_OWN *a) { return seen(s, "OWN", a->a, 0, 0); }

bool small_trans_FIRST(struct DisasContext *s, arg_FIRST *a)
{
    return !s->refuse_first && seen(s, "FIRST", a->a, a->b, 0);
}

static const struct {
    uint32_t word;
    const char *pattern; /* NULL: undefined */
    int a, b, c;
    bool refuse_first;
} cases[] = {
    {0x10000000, "SEGMENTS", 0},
    {0x10700a05, "SEGMENTS", 0x7a5},
    {0x10f00ff1, "SEGMENTS", -15},
    {0x1110000f, NULL},
    {0x1100001f, "SCALED", 31 * 4 + 1},
    {0x11000020, "SCALED", -32 * 4 + 1},
    {0x12000011, "MAPPED", 51, 51},
    {0x20abc123, "PAIR", 0xabc, 0x123, 1},
    {0x21abc123, "PAIR", 0xabc, 0x123, -2},
    {0x22000000, "NOTHING"},
    {0x22000001, NULL},
    {0x30200007, "FIRST", 2, 7},
    {0x30200007, "SECOND", 2, 7, .refuse_first = true},
    {0x30200017, "SECOND", 2, 7},
    {0x30212347, "SECOND", 2, 7},
    {0x42000009, "SOME", 2, 9},
    {0x43000008, "SOME", 3, 8},
    {0x43000009, "REST", 0},
    {0x4300000d, "REST", 2},
    {0x4f00000d, "LAST", 13},
    {0x50000000, NULL},
};

Test(decoder, words)
{
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct DisasContext s = {.refuse_first = cases[i].refuse_first};
        bool found = decode_small(&s, cases[i].word);
        cr_expect_eq(found, cases[i].pattern != NULL, "%08x", cases[i].word);
        if (!found || !cases[i].pattern)
            continue;
        cr_expect_str_eq(s.pattern, cases[i].pattern, "%08x", cases[i].word);
        cr_expect(s.a == cases[i].a && s.b == cases[i].b && s.c == cases[i].c, "%08x: %d %d %d", cases[i].word, s.a, s.b,
                  s.c);
    }
}

/* A pattern of a second table calls the first one's handler. */
Test(decoder, shared_handlers)
{
    struct DisasContext s = {0};
    cr_assert(decode_small16(&s, 0x3009));
    cr_expect_str_eq(s.pattern, "PAIR");
    cr_expect(s.a == 0x20 && s.b == 4 && s.c == 3, "%d %d %d", s.a, s.b, s.c);
    cr_assert(decode_small16(&s, 0x4123));
    cr_expect_str_eq(s.pattern, "OWN");
    cr_expect_not(decode_small16(&s, 0x3008));
}

/* The table as data says the same as the code: by bits near every pattern. */
Test(decoder, table_agrees_with_code)
{
    uint32_t random = 1;
    for (unsigned i = 0; i < 200000; i++) {
        const struct decode_pattern *p = &small_patterns[i % small_npatterns], *first = NULL;
        random = random * 1664525 + 1013904223;
        uint32_t word = p->bits.value | ((random ^ random >> 15) & ~p->bits.mask);
        word ^= i & 1 ? 1u << (random >> 8 & 31) : 0;
        for (unsigned k = 0; k < small_npatterns && !first; k++)
            if (decode_matches(&small_patterns[k], word))
                first = &small_patterns[k];
        struct DisasContext s = {0};
        bool found = decode_small(&s, word);
        cr_assert_eq(found, first != NULL, "%08x", word);
        if (found)
            cr_assert_str_eq(s.pattern, first->name, "%08x", word);
    }
}
