/* What firmware starts from: the configuration device and flash. */
#define _GNU_SOURCE
#include <endian.h>
#include <unistd.h>

#include "hw/misc/fw-cfg.h"
#include "softmmu/block.h"
#include "tests/device-board.h"

/* --- fw_cfg --- */

enum { DATA = 0, SELECTOR = 8, DMA = 16, RAM = 0x100000, RAM_SIZE = 0x10000 };

static void plug_cfg(struct board *b, struct mem_region *ram)
{
    board_begin(b, "fw_cfg");
    board_realize(b);
    cr_assert(mem_init_ram(ram, "ram", RAM_SIZE));
    mem_add(&b->memory, b->memory.root, RAM, ram, 0);
    fw_cfg_set_number(b->device, FW_CFG_NB_CPUS, 4, 2);
    cr_assert(fw_cfg_add_file(b->device, "opt/org.test/b", "second", 6));
    cr_assert(fw_cfg_add_file(b->device, "opt/org.test/a", "first", 5));
    cr_assert_not(fw_cfg_add_file(b->device, "opt/org.test/a", "again", 5));
}

static void unplug_cfg(struct board *b, struct mem_region *ram)
{
    mem_remove(&b->memory, ram);
    unplug(b);
    mem_free(ram);
}

static void choose(struct board *b, unsigned item) { wr(b, SELECTOR, 2, htobe16((uint16_t)item)); }

Test(fw_cfg, items_and_files)
{
    struct board b;
    struct mem_region ram;
    plug_cfg(&b, &ram);
    choose(&b, FW_CFG_SIGNATURE);
    cr_assert(rd(&b, DATA, 1) == 'Q' && rd(&b, DATA, 1) == 'E' && rd(&b, DATA, 2) == ('M' | 'U' << 8));
    choose(&b, FW_CFG_ID);
    cr_assert_eq(rd(&b, DATA, 4), 3);
    cr_assert_eq(rd(&b, DATA, 4), 0, "zeros behind the end");
    choose(&b, FW_CFG_NB_CPUS);
    cr_assert_eq(rd(&b, DATA, 2), 4);
    choose(&b, FW_CFG_FILE_DIR);
    cr_assert_eq(be32toh((uint32_t)rd(&b, DATA, 4)), 2);
    unsigned item[2];
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(be32toh((uint32_t)rd(&b, DATA, 4)), i ? 6 : 5);
        item[i] = be16toh((uint16_t)rd(&b, DATA, 2));
        rd(&b, DATA, 2);
        char name[FW_CFG_NAME];
        for (unsigned k = 0; k < sizeof name; k++)
            name[k] = (char)rd(&b, DATA, 1);
        cr_assert_str_eq(name, i ? "opt/org.test/b" : "opt/org.test/a");
    }
    choose(&b, item[0]);
    cr_assert_eq(rd(&b, DATA, 8), 'f' | 'i' << 8 | 'r' << 16 | (uint64_t)'s' << 24 | (uint64_t)'t' << 32);
    cr_assert_eq(rd(&b, DMA, 8), htole64(be64toh(UINT64_C(0x51454d5520434647))), "the interface's signature");
    unplug_cfg(&b, &ram);
}

static uint32_t dma(struct board *b, struct mem_region *ram, uint32_t control, uint32_t length, uint64_t address)
{
    uint32_t words[2] = {htobe32(control), htobe32(length)};
    address = htobe64(address);
    memcpy(ram->host, words, 8);
    memcpy(ram->host + 8, &address, 8);
    wr(b, DMA, 4, 0);
    wr(b, DMA + 4, 4, htobe32(RAM));
    memcpy(words, ram->host, 4);
    return be32toh(words[0]);
}

Test(fw_cfg, dma)
{
    struct board b;
    struct mem_region ram;
    plug_cfg(&b, &ram);
    cr_assert_eq(dma(&b, &ram, 0x20 << 16 | 8 | 2, 100, RAM + 0x1000), 0);
    cr_assert(!memcmp(ram.host + 0x1000, "second\0\0", 8));
    cr_assert_eq(dma(&b, &ram, 0x20 << 16 | 8 | 4, 3, 0), 0);
    cr_assert_eq(dma(&b, &ram, 2, 3, RAM + 0x2000), 0);
    cr_assert(!memcmp(ram.host + 0x2000, "ond\0", 4));
    cr_assert_eq(dma(&b, &ram, 16, 3, RAM + 0x2000), 1, "nothing is writable");
    cr_assert_eq(dma(&b, &ram, 2, UINT32_MAX, RAM + 0x3000), 1, "more than there is memory");
    unplug_cfg(&b, &ram);
}

Test(fw_cfg, state_and_any_access)
{
    struct board a, b;
    struct mem_region ram_a, ram_b;
    plug_cfg(&a, &ram_a);
    plug_cfg(&b, &ram_b);
    choose(&a, FW_CFG_SIGNATURE);
    rd(&a, DATA, 1);
    transfer(a.device, b.device);
    cr_assert_eq(rd(&b, DATA, 1), 'E');
    fuzz_registers(&a, 20000, 8);
    unplug_cfg(&a, &ram_a);
    unplug_cfg(&b, &ram_b);
}

/* --- flash --- */

enum { FLASH = 0x100000, SECTOR = 0x10000 };

static void plug_flash(struct board *b, struct block *drive)
{
    board_begin(b, "pflash");
    board_set(b, "size", "1M");
    board_set(b, "sector", "65536");
    device_set_backend(b->device, "drive", drive);
    board_realize(b);
}

static void both(struct board *b, uint64_t offset, uint32_t command) { wr(b, offset, 4, command | command << 16); }

/* Is the flash read, and code in it run, without the device? */
static bool is_direct(struct board *b)
{
    struct mem_range r;
    return mem_lookup(&b->memory, BOARD_WINDOW, &r) && mem_is_direct(&r, false);
}

Test(pflash, identifies_itself)
{
    struct board b;
    plug_flash(&b, NULL);
    cr_assert_eq(rd(&b, 0, 4), UINT32_MAX, "erased");
    both(&b, 4 * 0x55, 0x98);
    cr_assert(rd(&b, 4 * 0x10, 4) == 0x510051 && rd(&b, 4 * 0x11, 4) == 0x520052 && rd(&b, 4 * 0x12, 4) == 0x590059);
    cr_assert_eq(rd(&b, 4 * 0x27, 1), 19, "each chip has 512 KiB");
    cr_assert_eq(rd(&b, 4 * 0x2d, 1), FLASH / SECTOR - 1);
    cr_assert_eq(rd(&b, 4 * 0x2f, 1) | rd(&b, 4 * 0x30, 1) << 8, SECTOR / 2 / 256);
    both(&b, 0, 0x90);
    cr_assert(rd(&b, 0, 4) == 0x890089 && rd(&b, 4, 4) == 0x180018);
    both(&b, 0, 0xff);
    cr_assert_eq(rd(&b, 0, 8), UINT64_MAX);
    cr_assert_not(is_direct(&b), "without a drive its bytes are not as they are read");
    unplug(&b);
}

static uint32_t status(struct board *b)
{
    both(b, 0, 0x70);
    return (uint32_t)rd(b, 0, 4);
}

Test(pflash, programs_and_erases)
{
    struct board b;
    plug_flash(&b, NULL);
    both(&b, 0x20000, 0x40);
    wr(&b, 0x20000, 4, 0x12345678);
    cr_assert_eq(status(&b), 0x800080);
    both(&b, 0x20000, 0x40);
    wr(&b, 0x20000, 4, 0xff00ff00);
    both(&b, 0, 0xff);
    cr_assert_eq(rd(&b, 0x20000, 4), 0x12005600, "bits are cleared only");
    both(&b, 0x20040, 0xe8);
    cr_assert_eq(rd(&b, 0x20040, 4), 0x800080);
    both(&b, 0x20040, 15);
    for (unsigned i = 0; i < 16; i++)
        wr(&b, 0x20040 + 4 * i, 4, i);
    both(&b, 0x20040, 0xd0);
    cr_assert_eq(status(&b), 0x800080);
    both(&b, 0, 0xff);
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(rd(&b, 0x20040 + 4 * i, 4), i);
    both(&b, 0x20040, 0xe8);
    both(&b, 0x20040, 512);
    cr_assert_eq(status(&b), 0x900090, "more than the buffer holds");
    both(&b, 0, 0x50);
    both(&b, 0x2ff00, 0x20);
    both(&b, 0x2ff00, 0xff);
    cr_assert_eq(status(&b), 0xb000b0, "not confirmed");
    both(&b, 0, 0x50);
    both(&b, 0x2ff00, 0x20);
    both(&b, 0x2ff00, 0xd0);
    cr_assert_eq(status(&b), 0x800080);
    both(&b, 0, 0xff);
    cr_assert_eq(rd(&b, 0x20000, 4), UINT32_MAX);
    unplug(&b);
}

Test(pflash, content_is_the_drives)
{
    char path[] = "/tmp/metic-flash-XXXXXX", *error = NULL;
    int fd = mkstemp(path);
    cr_assert(!ftruncate(fd, FLASH / 2) && pwrite(fd, "boot", 4, 0) == 4);
    close(fd);
    struct block *drive = block_open(path, &(struct block_options){.format = "raw"}, NULL, &error);
    struct board a, b;
    plug_flash(&a, drive);
    cr_assert_eq(rd(&a, 0, 4), 'b' | 'o' << 8 | 'o' << 16 | 't' << 24);
    cr_assert_eq(rd(&a, FLASH / 2, 4), UINT32_MAX);
    cr_assert(is_direct(&a));
    both(&a, 0x30000, 0x20);
    cr_assert_not(is_direct(&a));
    both(&a, 0x30000, 0xd0);
    both(&a, 0, 0xff);
    cr_assert(is_direct(&a));
    both(&a, 0x30004, 0x10);
    wr(&a, 0x30004, 4, 7);
    both(&a, 0xf0000, 0x10);
    wr(&a, 0xf0000, 4, 7); /* beyond the file */
    both(&a, 0x40000, 0x40);
    plug_flash(&b, drive);
    transfer(a.device, b.device);
    wr(&b, 0x40000, 4, 0); /* the program command goes on there */
    both(&b, 0, 0xff);
    cr_assert_eq(rd(&b, 0x30000, 8), UINT64_C(7) << 32 | UINT32_MAX);
    fuzz_registers(&b, 20000, 4);
    uint8_t got[8];
    cr_assert(!block_read(drive, 0x40000, got, 8) && got[0] == 0);
    unplug(&a);
    unplug(&b);
    block_close(drive);
    unlink(path);
}
