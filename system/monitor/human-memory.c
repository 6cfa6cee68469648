/* `x`, `xp` and `print`: expressions and memory in the forms that gdb has made usual. See human.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exec/disassemble.h"
#include "exec/registers.h"
#include "system/monitor/human.h"

/* --- expressions: C's operators on 64-bit numbers, $NAME for registers of the processor --- */

enum { MAX_NESTING = 64 };

struct expression {
    const char *p;
    struct processor *processor;
    const char *error;
    unsigned depth;
};

static uint64_t sum(struct expression *x);

static void skip(struct expression *x) { x->p += strspn(x->p, " \t"); }

static bool take(struct expression *x, char c)
{
    skip(x);
    if (*x->p != c)
        return false;
    x->p++;
    return true;
}

static uint64_t register_value(struct expression *x)
{
    size_t n = strspn(x->p, "abcdefghijklmnopqrstuvwxyz_0123456789");
    struct cpu *cpu = x->processor->cpu;
    const char *name = x->p;
    struct target_reg r;
    x->p += n;
    for (unsigned i = 0; register_by_number(cpu->target, i, &r); i++)
        if (strlen(r.name) == n && !strncmp(r.name, name, n)) {
            uint64_t v[TARGET_REG_MAX / sizeof(uint64_t)] = {0};
            register_read(cpu, &r, v);
            return v[0];
        }
    x->error = "there is no such register";
    return 0;
}

static uint64_t value(struct expression *x)
{
    skip(x);
    if (++x->depth > MAX_NESTING) {
        x->error = "the expression is nested too deeply";
        return 0;
    }
    uint64_t v = 0;
    if (take(x, '-')) {
        v = -value(x);
    } else if (take(x, '~')) {
        v = ~value(x);
    } else if (take(x, '+')) {
        v = value(x);
    } else if (take(x, '(')) {
        v = sum(x);
        if (!take(x, ')'))
            x->error = "a ) is missing";
    } else if (take(x, '$')) {
        v = register_value(x);
    } else {
        char *end;
        v = g_ascii_strtoull(x->p, &end, 0);
        if (end == x->p || !g_ascii_isdigit(*x->p))
            x->error = "a number is missing";
        x->p = end;
    }
    x->depth--;
    return v;
}

static uint64_t product(struct expression *x)
{
    uint64_t v = value(x);
    for (;;) {
        skip(x);
        char op = *x->p;
        if (op != '*' && op != '/' && op != '%')
            return v;
        x->p++;
        uint64_t other = value(x);
        if (op != '*' && !other) {
            x->error = "division by zero";
            return 0;
        }
        v = op == '*' ? v * other : op == '/' ? v / other : v % other;
    }
}

static uint64_t sum(struct expression *x)
{
    uint64_t v = product(x);
    while (!x->error) {
        if (take(x, '+'))
            v += product(x);
        else if (take(x, '-'))
            v -= product(x);
        else if (take(x, '&'))
            v &= product(x);
        else if (take(x, '|'))
            v |= product(x);
        else if (take(x, '^'))
            v ^= product(x);
        else
            break;
    }
    return v;
}

static bool evaluate(struct monitor *m, const char *text, uint64_t *out, GString *to)
{
    struct expression x = {text, m->board->machine.processor[m->cpu], NULL, 0};
    *out = sum(&x);
    skip(&x);
    if (!x.error && *x.p)
        x.error = "unexpected characters";
    if (x.error)
        g_string_append_printf(to, "%s: '%s'\n", x.error, text);
    return !x.error;
}

/* --- formats --- */

struct format {
    unsigned count, size; /* size: bytes */
    char letter;
};

/* "/[count][letter][size]" in front of the expression. */
static const char *read_format(const char *rest, struct format *f)
{
    if (*rest != '/')
        return rest;
    char *end;
    unsigned long n = strtoul(rest + 1, &end, 10);
    if (end > rest + 1)
        f->count = n < 65536 ? (unsigned)n : 65536;
    for (; *end && *end != ' '; end++) {
        const char *sizes = "bhwg", *at = strchr(sizes, *end);
        if (at)
            f->size = 1u << (at - sizes);
        else
            f->letter = *end;
    }
    return end;
}

static void put_value(GString *out, const struct format *f, uint64_t v)
{
    unsigned bits = 8 * f->size;
    switch (f->letter) {
    case 'd': g_string_append_printf(out, "%" PRId64, (int64_t)(v << (64 - bits)) >> (64 - bits)); break;
    case 'u': g_string_append_printf(out, "%" PRIu64, v); break;
    case 'o': g_string_append_printf(out, "0%" G_GINT64_MODIFIER "o", v); break;
    case 'c':
        if (v >= ' ' && v < 127)
            g_string_append_printf(out, "'%c'", (char)v);
        else
            g_string_append_printf(out, "'\\x%02" G_GINT64_MODIFIER "x'", v & 0xff);
        break;
    default: g_string_append_printf(out, "0x%0*" PRIx64, (int)(2 * f->size), v); break;
    }
}

void human_print(struct monitor *m, const char *rest, GString *out)
{
    struct format f = {1, 8, 'd'};
    uint64_t v;
    rest = read_format(rest, &f);
    f.size = 8;
    if (!evaluate(m, rest, &v, out))
        return;
    if (f.letter == 'x')
        g_string_append_printf(out, "0x%" PRIx64, v);
    else
        put_value(out, &f, v);
    g_string_append_c(out, '\n');
}

static bool read_memory(struct processor *p, bool physical, uint64_t address, void *buf, unsigned n)
{
    uint64_t at = address, last;
    if (!physical && (!processor_translate(p, address, &at) || !processor_translate(p, address + (n - 1), &last)))
        return false;
    if (!physical && last != at + (n - 1)) /* across pages that lie apart */
        return false;
    return mem_read(&p->machine->memory, at, buf, n) == MEM_OK;
}

static void list(struct monitor *m, uint64_t address, const struct format *f, bool physical, GString *out)
{
    unsigned per_line = f->letter == 'c' ? 8 : f->size == 8 ? 2 : f->size == 1 ? 8 : 4;
    for (unsigned i = 0; i < f->count; i++, address += f->size) {
        uint64_t v = 0;
        if (!(i % per_line))
            g_string_append_printf(out, "%016" PRIx64 ":", address);
        if (!read_memory(m->board->machine.processor[m->cpu], physical, address, &v, f->size)) {
            g_string_append(out, " Cannot access memory\n");
            return;
        }
        g_string_append_c(out, ' ');
        put_value(out, f, v);
        if (i % per_line == per_line - 1 || i == f->count - 1)
            g_string_append_c(out, '\n');
    }
}

/* Instructions: as many lines of the disassembly of what is there. */
static void list_code(struct monitor *m, uint64_t address, const struct format *f, bool physical, GString *out)
{
    enum { LONGEST = 4, MOST = 1024 };
    struct processor *p = m->board->machine.processor[m->cpu];
    unsigned count = f->count < MOST ? f->count : MOST, n = 0;
    uint8_t code[LONGEST * MOST];
    char *text = NULL, *line;
    size_t size = 0;
    while (n < LONGEST * count && read_memory(p, physical, address + n, code + n, 2))
        n += 2;
    FILE *s = n ? open_memstream(&text, &size) : NULL;
    if (!s) {
        g_string_append(out, "Cannot access memory\n");
        return;
    }
    disassemble(s, p->cpu->target->isa, code, n, address);
    fclose(s);
    for (line = text; count && line && *line; count--) {
        char *end = strchr(line, '\n');
        g_string_append_len(out, line, end ? end + 1 - line : (gssize)strlen(line));
        line = end ? end + 1 : NULL;
    }
    free(text);
}

void human_examine(struct monitor *m, const char *rest, bool physical, GString *out)
{
    struct format f = {1, 4, 'x'};
    struct machine *machine = &m->board->machine;
    uint64_t address;
    rest = read_format(rest, &f);
    if (!strchr("xduoci", f.letter)) {
        g_string_append_printf(out, "there is no format '%c': x, d, u, o, c and i are known\n", f.letter);
        return;
    }
    bool running = machine->running;
    if (running && !physical) /* the page tables are walked with the processor's registers */
        machine_stop(machine);
    if (evaluate(m, rest, &address, out))
        (f.letter == 'i' ? list_code : list)(m, address, &f, physical, out);
    if (running && !physical)
        machine_run(machine);
}
