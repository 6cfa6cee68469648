/* See packet.h. */
#include "gdbstub/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPE = '}', ESCAPE_XOR = 0x20, INTERRUPT = 3 };

/* --- text --- */

static bool reserve(struct gdb_text *t, size_t n)
{
    if (t->bad || n <= t->room - t->n)
        return !t->bad;
    size_t room = 2 * (t->n + n) + 64;
    char *bytes = realloc(t->bytes, room);
    t->bad = !bytes;
    if (bytes) {
        t->bytes = bytes;
        t->room = room;
    }
    return bytes;
}

void gdb_put(struct gdb_text *t, const void *bytes, size_t n)
{
    if (!n || !reserve(t, n))
        return;
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
}

void gdb_printf(struct gdb_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && reserve(t, (size_t)n + 1)) {
        vsnprintf(t->bytes + t->n, (size_t)n + 1, format, again);
        t->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void gdb_hex(struct gdb_text *t, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    if (!reserve(t, 2 * n))
        return;
    for (size_t i = 0; i < n; i++) {
        t->bytes[t->n++] = digits[p[i] >> 4];
        t->bytes[t->n++] = digits[p[i] & 15];
    }
}

void gdb_text_free(struct gdb_text *t)
{
    free(t->bytes);
    *t = (struct gdb_text){0};
}

/* --- numbers --- */

int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool hex_bytes(const char *digits, size_t n, void *out)
{
    uint8_t *to = out;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(digits[2 * i]), low = high < 0 ? -1 : hex_digit(digits[2 * i + 1]);
        if (low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool hex_number(const char **p, uint64_t *out)
{
    const char *start = *p;
    int digit;
    for (*out = 0; (digit = hex_digit(**p)) >= 0; ++*p) {
        if (*out >> 60)
            return false;
        *out = *out << 4 | (unsigned)digit;
    }
    return *p != start;
}

/* --- packets --- */

static void take_byte(struct packet_reader *r, uint8_t byte)
{
    if (r->n == PACKET_MAX)
        r->wrong = true;
    else
        r->payload[r->n++] = (char)byte;
}

static enum packet_event take_outside(struct packet_reader *r, uint8_t byte)
{
    switch (byte) {
    case '$':
        r->state = READER_PAYLOAD;
        r->sum = 0;
        r->n = 0;
        r->wrong = false;
        return PACKET_NOTHING;
    case '+': return PACKET_ACK;
    case '-': return PACKET_NAK;
    case INTERRUPT: return PACKET_INTERRUPT;
    default: return PACKET_NOTHING;
    }
}

/* A '$' in a payload begins another packet: the first one's end was lost. */
static enum packet_event take_inside(struct packet_reader *r, uint8_t byte)
{
    if (byte == '$')
        return take_outside(r, byte);
    if (byte == '#') {
        r->wrong |= r->state == READER_ESCAPED;
        r->state = READER_SUM_HIGH;
        return PACKET_NOTHING;
    }
    r->sum += byte;
    if (r->state == READER_ESCAPED) {
        take_byte(r, byte ^ ESCAPE_XOR);
        r->state = READER_PAYLOAD;
    } else if (byte == ESCAPE) {
        r->state = READER_ESCAPED;
    } else {
        take_byte(r, byte);
    }
    return PACKET_NOTHING;
}

enum packet_event packet_take(struct packet_reader *r, uint8_t byte)
{
    int digit = hex_digit((char)byte);
    switch (r->state) {
    case READER_IDLE: return take_outside(r, byte);
    case READER_PAYLOAD:
    case READER_ESCAPED: return take_inside(r, byte);
    case READER_SUM_HIGH:
        r->wrong |= digit < 0;
        r->given = (uint8_t)((unsigned)digit << 4);
        r->state = READER_SUM_LOW;
        return PACKET_NOTHING;
    default:
        r->wrong |= digit < 0 || (r->given | digit) != r->sum;
        r->state = READER_IDLE;
        r->payload[r->n] = 0;
        return r->wrong ? PACKET_BROKEN : PACKET_COMPLETE;
    }
}

void packet_put(struct gdb_text *out, const void *payload, size_t n)
{
    const uint8_t *p = payload;
    uint8_t sum = 0;
    gdb_put(out, "$", 1);
    for (size_t i = 0; i < n; i++) {
        uint8_t byte[2] = {ESCAPE, p[i] ^ ESCAPE_XOR};
        bool special = p[i] == '$' || p[i] == '#' || p[i] == ESCAPE || p[i] == '*'; /* '*': else a run length */
        if (special) {
            sum += byte[0] + byte[1];
            gdb_put(out, byte, 2);
        } else {
            sum += p[i];
            gdb_put(out, &p[i], 1);
        }
    }
    gdb_printf(out, "#%02x", sum);
}
