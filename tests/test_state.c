/* Streams of saved state: what was written is read, whatever else somebody made of one ends in a line. */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "softmmu/state.h"

enum { ROOM = 8 << 20, RAM = 1 << 20 };

struct stream {
    uint8_t *bytes;
    uint64_t n;
    unsigned fail_at; /* reads until one fails; 0: none */
};

static int keep(void *opaque, const void *bytes, size_t n)
{
    struct stream *s = opaque;
    if (s->n + n > ROOM)
        return ENOSPC;
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
    return 0;
}

static int give(void *opaque, uint64_t at, void *bytes, uint64_t n)
{
    struct stream *s = opaque;
    cr_assert(at + n <= s->n, "a reader stays inside");
    if (s->fail_at && !--s->fail_at)
        return EIO;
    memcpy(bytes, s->bytes + at, n);
    return 0;
}

static uint64_t chance(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void begin(struct stream *s) { *s = (struct stream){.bytes = malloc(ROOM)}; }

/* Two items of one device, one of another, memory with holes. */
static void fill(struct stream *s, const uint8_t *memory)
{
    uint64_t length;
    struct state_writer *w = state_writer_new(keep, s);
    state_put(w, "uart", "a", "123", 3);
    state_put(w, "uart", "b", "", 0);
    state_put_memory(w, "memory", "ram", memory, RAM);
    state_put(w, "plic", "a", "4567", 4);
    cr_assert_eq(state_writer_end(w, &length), 0);
    cr_assert_eq(length, s->n);
}

static void expect_error(struct stream *s, const char *with)
{
    char *error = NULL;
    cr_assert_null(state_reader_new("x", s->n, give, s, &error));
    cr_assert(strstr(error, with) && !strchr(error, '\n'), "%s", error);
    free(error);
}

static struct state_reader *must_read(struct stream *s)
{
    char *error = NULL;
    struct state_reader *r = state_reader_new("x", s->n, give, s, &error);
    cr_assert(r, "%s", error);
    return r;
}

static void random_memory(uint8_t *p, uint64_t *seed)
{
    memset(p, 0, RAM);
    for (unsigned k = 0; k < 60; k++)
        p[chance(seed) % RAM] = (uint8_t)chance(seed);
}

Test(state, comes_back)
{
    struct stream s;
    struct mem_space space;
    struct mem_region ram;
    uint8_t *memory = malloc(RAM), got[4];
    uint64_t seed = 3;
    cr_assert(mem_space_init(&space, "test", UINT64_MAX) && mem_init_ram(&ram, "ram", RAM));
    for (unsigned round = 0; round < 20; round++) {
        begin(&s);
        random_memory(memory, &seed);
        fill(&s, memory);
        cr_assert(s.n < RAM / 2, "zeros cost nothing");
        struct state_reader *r = must_read(&s);
        cr_assert(state_get(r, "uart", "a", got, 3) && !memcmp(got, "123", 3));
        cr_assert(!state_get(r, "uart", "a", got, 4) && !state_get(r, "uart", "c", got, 3) &&
                  !state_get(r, "ua", "rta", got, 3));
        cr_assert_str_eq(state_unused(r), "uart");
        cr_assert(state_get(r, "uart", "b", NULL, 0) && state_get(r, "plic", "a", got, 4) && !memcmp(got, "4567", 4));
        cr_assert_str_eq(state_unused(r), "memory");
        cr_assert(state_size(r, "plic", "a") == 4 && state_size(r, "plic", "b") == UINT64_MAX);
        cr_assert(state_memory_fits(r, "memory", "ram", RAM) && !state_memory_fits(r, "memory", "ram", 4096));
        cr_assert_null(state_unused(r));
        /* What is the same stays untouched: nobody is told. */
        mem_watch(&ram, 0, RAM, DIRTY_SNAPSHOT);
        uint8_t *before = malloc(RAM);
        memcpy(before, ram.host, RAM);
        cr_assert_eq(state_get_memory(r, "memory", "ram", &space, &ram), 0);
        cr_assert_eq(memcmp(ram.host, memory, RAM), 0);
        for (unsigned page = 0; page < RAM >> MEM_PAGE_SHIFT; page++) {
            bool same =
                !memcmp(before + (page << MEM_PAGE_SHIFT), ram.host + (page << MEM_PAGE_SHIFT), 1 << MEM_PAGE_SHIFT);
            cr_assert_eq(!(ram.dirty[page] & DIRTY_SNAPSHOT), same);
        }
        free(before);
        state_reader_free(r);
        free(s.bytes);
    }
    free(memory);
    mem_free(&ram);
    mem_space_free(&space);
}

Test(state, mistakes)
{
    struct stream s;
    uint8_t *memory = calloc(1, RAM);
    begin(&s);
    expect_error(&s, "x is not the saved state of a machine");
    fill(&s, memory);
    for (s.fail_at = 1; s.fail_at < 8;) {
        unsigned at = s.fail_at;
        expect_error(&s, "can't read x: Input/output error");
        s.fail_at = at + 1;
    }
    s.fail_at = 0;
    uint64_t whole = s.n;
    for (s.n = 24; s.n < whole; s.n++)
        expect_error(&s, "is damaged: it ends in the middle");
    s.bytes[17] ^= 1;
    expect_error(&s, "header's checksum");
    s.bytes[17] ^= 1;
    s.bytes[16] = 2;
    uint32_t sum = htole32((uint32_t)crc32(0, s.bytes, 20));
    memcpy(s.bytes + 20, &sum, 4);
    expect_error(&s, "another version");
    free(s.bytes);
    free(memory);
    /* A full disk. */
    begin(&s);
    s.n = ROOM - 100;
    uint64_t length;
    struct state_writer *w = state_writer_new(keep, &s);
    state_put(w, "a", "b", s.bytes, 1000);
    cr_assert_eq(state_writer_end(w, &length), ENOSPC);
    free(s.bytes);
}

/* Records with any content whose checksums are right. */
static void random_record(struct stream *s, uint64_t *seed)
{
    struct {
        uint32_t kind;
        uint16_t device, name;
        uint64_t size;
        uint32_t crc, head_crc;
    } r = {.kind = (uint32_t)(chance(seed) % 16 ? 1 + chance(seed) % 3 : chance(seed)),
           .device = (uint16_t)(chance(seed) % 4),
           .name = (uint16_t)(chance(seed) % 4),
           .size = chance(seed) % 64 ? chance(seed) % 5000 : chance(seed) >> chance(seed) % 64};
    uint8_t content[8192];
    for (unsigned i = 0; i < sizeof content; i++)
        content[i] = i < 8 ? (uint8_t) "aabbccdd"[chance(seed) % 8] : (uint8_t)chance(seed);
    uint64_t offset = chance(seed) % 4 ? chance(seed) % 400 << 12 : chance(seed);
    memcpy(content + r.device + r.name, &offset, 8);
    uint64_t n = r.device + r.name + (r.size < 8000 ? r.size : 0);
    r.crc = (uint32_t)crc32(0, content, (uInt)n);
    r.head_crc = (uint32_t)crc32(0, (const uint8_t *)&r, 20);
    if (s->n + sizeof r + n > ROOM)
        return;
    keep(s, &r, sizeof r);
    keep(s, content, n);
}

Test(state, any_records, .timeout = 100)
{
    struct mem_space space;
    struct mem_region ram;
    uint64_t seed = 11;
    unsigned read = 0;
    cr_assert(mem_space_init(&space, "test", UINT64_MAX) && mem_init_ram(&ram, "ram", RAM));
    for (unsigned round = 0; round < 3000; round++) {
        struct stream s;
        uint64_t length, n = chance(&seed) % 6;
        begin(&s);
        state_writer_end(state_writer_new(keep, &s), &length);
        s.n = 24; /* the header */
        for (uint64_t k = 0; k < n; k++)
            random_record(&s, &seed);
        struct {
            uint32_t kind;
            uint16_t device, name;
            uint64_t size;
            uint32_t crc, head_crc;
        } end = {.kind = 3, .size = 8};
        end.crc = (uint32_t)crc32(0, (const uint8_t *)&n, 8);
        end.head_crc = (uint32_t)crc32(0, (const uint8_t *)&end, 20);
        keep(&s, &end, sizeof end);
        keep(&s, &n, 8);
        char *error = NULL;
        struct state_reader *r = state_reader_new("x", s.n, give, &s, &error);
        cr_assert(r || (error && !strchr(error, '\n')));
        free(error);
        if (r) {
            read++;
            uint8_t got[5000];
            for (const char *d = "abcd"; *d; d++) {
                char device[2] = {*d, 0};
                uint64_t size = state_size(r, device, "a");
                if (size <= sizeof got)
                    cr_assert(state_get(r, device, "a", got, size));
                state_memory_fits(r, device, "", RAM);
                state_get_memory(r, device, "", &space, &ram);
            }
            state_unused(r);
            state_reader_free(r);
        }
        free(s.bytes);
    }
    cr_assert(read > 100, "only %u", read);
    mem_free(&ram);
    mem_space_free(&space);
}
