/* A small LZ77 compressor with a hash table of positions, and its decompressor: byte work, unpredictable branches. */
#include "../bench.h"

enum { SIZE = 1 << 20, HASH_BITS = 14, MAX_MATCH = 130, MIN_MATCH = 4 };
static uint8_t plain[SIZE], packed[SIZE + SIZE / 64 + 64], back[SIZE];
static int32_t last[1 << HASH_BITS];

static uint32_t word_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Tokens: 0 to 127: that many plus one literal bytes follow; 128 to 255: a match, two bytes of distance follow. */
static size_t flush(uint8_t *out, const uint8_t *from, size_t n)
{
    uint8_t *o = out;
    while (n) {
        size_t part = n > 128 ? 128 : n;
        *o++ = part - 1;
        memcpy(o, from, part);
        o += part;
        from += part;
        n -= part;
    }
    return o - out;
}

static size_t pack(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t o = 0, start = 0, i = 0;
    memset(last, 0xff, sizeof last);
    while (i + MIN_MATCH <= n) {
        uint32_t w = word_at(in + i), h = w * 2654435761u >> (32 - HASH_BITS);
        int32_t at = last[h];
        last[h] = i;
        if (at < 0 || i - at > 0xffff || word_at(in + at) != w) {
            i++;
            continue;
        }
        size_t length = MIN_MATCH;
        while (length < MAX_MATCH && i + length < n && in[at + length] == in[i + length])
            length++;
        o += flush(out + o, in + start, i - start);
        out[o++] = 128 + (length - MIN_MATCH > 127 ? 127 : length - MIN_MATCH);
        length = MIN_MATCH + out[o - 1] - 128;
        out[o++] = (i - at) & 0xff;
        out[o++] = (i - at) >> 8;
        i += length;
        start = i;
    }
    return o + flush(out + o, in + start, n - start);
}

static size_t unpack(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t o = 0;
    for (size_t i = 0; i < n;) {
        unsigned token = in[i++];
        if (token < 128) {
            for (unsigned k = 0; k <= token; k++)
                out[o++] = in[i++];
        } else {
            size_t distance = in[i] | in[i + 1] << 8;
            i += 2;
            for (unsigned k = 0; k < token - 128 + MIN_MATCH; k++, o++)
                out[o] = out[o - distance];
        }
    }
    return o;
}

int main(void)
{
    static const char *words[] = {"guest", "host", "register", "block", "jump", "translate", "page", "signal", "thread",
                                  "of", "the", "and", "to", "in", "a", "\n"};
    size_t n = 0;
    while (n < SIZE - 16) {
        const char *w = words[rnd() & 15];
        size_t l = strlen(w);
        memcpy(plain + n, w, l);
        n += l;
        plain[n++] = rnd() & 7 ? ' ' : 'a' + rnd() % 26;
    }
    uint64_t sum = 0;
    for (int round = 0; round < 100; round++) {
        size_t size = pack(plain, n, packed);
        if (unpack(packed, size, back) != n || memcmp(plain, back, n))
            return 1;
        for (size_t i = 0; i < size; i += 64)
            sum = mix(sum, packed[i]);
        sum = mix(sum, size);
        plain[rnd() % n] ^= 1;
    }
    return report(sum);
}
