/* CRC-32 by a table of bytes, FNV and a rotating hash over one buffer. */
#include "../bench.h"

static uint32_t table[256];
static uint8_t data[1 << 20];

int main(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
        table[i] = c;
    }
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = rnd();
    uint64_t sum = 0;
    for (int round = 0; round < 180; round++) {
        uint32_t crc = ~(uint32_t)round, fnv = 2166136261u, rot = 0;
        for (size_t i = 0; i < sizeof data; i++) {
            crc = table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
            fnv = (fnv ^ data[i]) * 16777619u;
            rot = (rot << 5 | rot >> 27) + data[i];
        }
        sum = mix(mix(mix(sum, ~crc), fnv), rot);
    }
    return report(sum);
}
