/*
 * What firmware finds on the board: fw_cfg with a file of the user's (opt/org.test/x: "hello"), and flash to program.
 */
#include "lib.h"

enum { FW_CFG = 0x10100000, DIRECTORY = 0x19, ID = 1, NB_CPUS = 5, DMA_READ = 2, DMA_SELECT = 8 };
enum { FLASH = 0x22000000, SECTOR = 0x40000 };

void trap(struct frame *f) { failed("no trap", (int)read_csr(mcause)); }
void secondary(uint64_t hart) {}

/* A number of so many bytes, from big-endian or to it. */
static uint64_t big(uint64_t v, unsigned bytes)
{
    uint64_t out = 0;
    for (; bytes; bytes--, v >>= 8)
        out = out << 8 | (v & 0xff);
    return out;
}

static void fetch(unsigned item, uint8_t *to, unsigned n)
{
    *(volatile uint16_t *)(FW_CFG + 8) = (uint16_t)big(item, 2);
    for (unsigned i = 0; i < n; i++)
        to[i] = *(volatile uint8_t *)FW_CFG;
}

static bool same(const void *a, const void *b, unsigned n)
{
    const uint8_t *p = a, *q = b;
    while (n && *p++ == *q++)
        n--;
    return !n;
}

static void fw_cfg(void)
{
    struct {
        uint32_t count, size;
        uint16_t item, reserved;
        char name[56];
    } __attribute__((packed)) directory;
    static volatile struct {
        uint32_t control, length;
        uint64_t address;
    } dma;
    static char text[8];
    uint8_t v[4];
    fetch(0, v, 4);
    CHECK(same(v, "QEMU", 4));
    fetch(ID, v, 4);
    CHECK(v[0] == 3);
    fetch(NB_CPUS, v, 2);
    CHECK(v[0] == 1 && !v[1]);
    fetch(DIRECTORY, (uint8_t *)&directory, sizeof directory);
    CHECK(directory.count == big(1, 4) && directory.size == big(5, 4));
    CHECK(same(directory.name, "opt/org.test/x", 15));
    dma.control = (uint32_t)big(big(directory.item, 2) << 16 | DMA_SELECT | DMA_READ, 4);
    dma.length = (uint32_t)big(5, 4);
    dma.address = big((uintptr_t)text, 8);
    *(volatile uint64_t *)(FW_CFG + 16) = big((uintptr_t)&dma, 8);
    CHECK(!dma.control && same(text, "hello", 6));
}

/* Two 16-bit chips beside each other: commands go to both. */
static volatile uint32_t *flash(uint32_t offset) { return (volatile uint32_t *)(uintptr_t)(FLASH + offset); }

static void command(uint32_t offset, uint8_t c) { *flash(offset) = (uint32_t)c << 16 | c; }

static void pflash(void)
{
    CHECK(*flash(0) == UINT32_MAX);
    command(0x55 * 4, 0x98);
    CHECK(*flash(0x10 * 4) == ('Q' << 16 | 'Q'));
    command(8, 0x40);
    *flash(8) = 0x12345678;
    CHECK(*flash(8) == 0x00800080);
    command(8, 0x40);
    *flash(8) = 0xffff00ff; /* bits are only cleared */
    command(0, 0xff);
    CHECK(*flash(8) == 0x12340078 && *flash(12) == UINT32_MAX);
    command(SECTOR, 0x40);
    *flash(SECTOR) = 1;
    command(0, 0x20);
    command(0, 0xd0);
    command(0, 0xff);
    CHECK(*flash(8) == UINT32_MAX && *flash(SECTOR) == 1);
    command(0, 0xe8); /* a buffer of 32 words, as EDK II fills it */
    CHECK(*flash(0) == 0x00800080);
    command(0, 31);
    for (uint32_t i = 0; i < 32; i++)
        *flash(4 * i) = 0xd0000000 + i;
    command(0, 0xd0);
    CHECK(*flash(0) == 0x00800080);
    command(0, 0xff);
    for (uint32_t i = 0; i < 32; i++)
        CHECK(*flash(4 * i) == 0xd0000000 + i);
    CHECK(*flash(128) == UINT32_MAX);
}

int main(void)
{
    fw_cfg();
    pflash();
    print("right\n");
    return 0;
}
