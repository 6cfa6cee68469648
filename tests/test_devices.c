/* Devices as their descriptors say, and the three simple chips of the riscv64 virt machine: UART, clock chip, power. */
#include "hw/misc/syscon.h"
#include "softmmu/chardev.h"
#include "tests/device-board.h"

static void plug(struct board *b, const char *class, struct chardev *chardev)
{
    board_begin(b, class);
    if (chardev)
        device_set_backend(b->device, "chardev", chardev);
    board_realize(b);
}

/* --- descriptors --- */

Test(device, every_class_is_in_order)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        const struct device_class *class = *c;
        cr_assert(class->abi == DEVICE_ABI && class->size == sizeof *class && class->doc && class->state_size >= sizeof(struct device));
        cr_assert_eq(device_class_by_name(class->name), class);
        for (unsigned w = 0; w < class->nwindows; w++)
            for (unsigned i = 0; i < class->windows[w].nregs; i++) {
                const struct device_reg *r = &class->windows[w].regs[i];
                unsigned n = r->count ? r->count : 1;
                cr_assert(r->doc && (r->size == 1 || r->size == 2 || r->size == 4 || r->size == 8), "%s %s", class->name, r->name);
                cr_assert(r->state + n * r->size <= class->state_size, "%s %s", class->name, r->name);
                cr_assert(r->offset + (n - 1) * (r->stride ? r->stride : r->size) + r->size <= class->windows[w].size);
                cr_assert(!r->state || r->state >= sizeof(struct device), "%s %s", class->name, r->name);
            }
        for (unsigned i = 0; i < class->nsaved; i++)
            cr_assert(class->saved[i].offset + class->saved[i].size * class->saved[i].count <= class->state_size);
    }
}

Test(device, properties_say_what_they_want)
{
    struct board b;
    plug(&b, "ns16550a", NULL);
    char *error = device_set(b.device, "speed", "9600");
    cr_assert_str_eq(error, "device ns16550a has no property speed; -device ns16550a,help lists them");
    free(error);
    unplug(&b);
}

/* --- UART --- */

struct terminal {
    struct chardev chardev;
    char sent[64];
    size_t n, room;
};

static size_t terminal_write(struct chardev *c, const uint8_t *bytes, size_t n)
{
    struct terminal *t = (struct terminal *)c;
    if (n > t->room)
        n = t->room;
    memcpy(t->sent + t->n, bytes, n);
    t->n += n;
    t->room -= n;
    return n;
}

static void type(struct terminal *t, const char *text)
{
    const struct chardev_front *f = &t->chardev.front;
    cr_assert(f->room(f->opaque) >= strlen(text));
    f->receive(f->opaque, (const uint8_t *)text, strlen(text));
}

enum { RBR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

Test(uart, bytes_both_ways)
{
    struct terminal t = {.chardev.write = terminal_write, .room = 64};
    struct board b;
    plug(&b, "ns16550a", &t.chardev);
    cr_assert_eq(rd(&b, LSR, 1), 0x60);
    cr_assert_eq(rd(&b, IIR, 1), 1);
    wr(&b, FCR, 1, 7);
    cr_assert_eq(rd(&b, IIR, 1), 0xc1);
    for (const char *p = "hello"; *p; p++)
        wr(&b, RBR, 1, (uint8_t)*p);
    cr_assert_str_eq(t.sent, "hello");
    wr(&b, IER, 1, 1);
    cr_assert_not(b.level[0]);
    type(&t, "ab");
    cr_assert(b.level[0]);
    cr_assert_eq(rd(&b, LSR, 1), 0x61);
    cr_assert_eq(rd(&b, RBR, 1), 'a');
    cr_assert_eq(rd(&b, RBR, 1), 'b');
    cr_assert_not(b.level[0]);
    wr(&b, LCR, 1, 0x83);
    wr(&b, RBR, 1, 0x34);
    wr(&b, IER, 1, 0x12);
    cr_assert_eq(rd(&b, RBR, 2), 0x1234, "the divisor");
    wr(&b, LCR, 1, 3);
    cr_assert_eq(rd(&b, IER, 1), 1, "the divisor is apart");
    unplug(&b);
    cr_assert_null(t.chardev.front.receive);
}

Test(uart, transmitter_waits_for_room)
{
    struct terminal t = {.chardev.write = terminal_write, .room = 1};
    struct board b;
    plug(&b, "ns16550a", &t.chardev);
    wr(&b, FCR, 1, 1);
    wr(&b, IER, 1, 2);
    cr_assert_eq(rd(&b, IIR, 1), 0xc2, "empty");
    cr_assert_not(b.level[0], "reading it answers it");
    wr(&b, RBR, 1, 'x');
    wr(&b, RBR, 1, 'y');
    cr_assert_eq(rd(&b, LSR, 1) & 0x60, 0);
    t.room = 8;
    t.chardev.front.writable(t.chardev.front.opaque);
    cr_assert_str_eq(t.sent, "xy");
    cr_assert(b.level[0] && rd(&b, LSR, 1) == 0x60);
    unplug(&b);
}

Test(uart, overrun_break_and_loop)
{
    struct terminal t = {.chardev.write = terminal_write, .room = 64};
    struct board b;
    plug(&b, "ns16550a", &t.chardev);
    const struct chardev_front *f = &t.chardev.front;
    f->receive(f->opaque, (const uint8_t *)"12", 2);
    cr_assert_eq(rd(&b, LSR, 1) & 2, 2, "one byte of room without FIFOs");
    cr_assert_eq(rd(&b, LSR, 1) & 2, 0, "reading clears it");
    rd(&b, RBR, 1);
    f->event(f->opaque, CHARDEV_BREAK);
    cr_assert_eq(rd(&b, LSR, 1) & 0x11, 0x11);
    rd(&b, RBR, 1);
    wr(&b, MCR, 1, 0x1b);
    wr(&b, RBR, 1, 'L');
    cr_assert_eq(rd(&b, RBR, 1), 'L');
    cr_assert_eq(rd(&b, MSR, 1), 0xb0, "RTS, DTR and OUT2 come back");
    cr_assert_eq(t.n, 0);
    unplug(&b);
}

Test(uart, state_goes_to_another)
{
    struct terminal t = {.chardev.write = terminal_write, .room = 64};
    struct board a, b;
    struct items items = {.n = 0};
    plug(&a, "ns16550a", &t.chardev);
    wr(&a, FCR, 1, 1);
    wr(&a, IER, 1, 1);
    wr(&a, SCR, 1, 0x5a);
    type(&t, "xyz");
    device_save(a.device, "uart0", &(struct state_sink){keep, &items});
    plug(&b, "ns16550a", NULL);
    char *error = device_load(b.device, "uart0", &(struct state_source){give, &items});
    cr_assert_null(error, "%s", error);
    cr_assert(b.level[0] && rd(&b, SCR, 1) == 0x5a && rd(&b, RBR, 1) == 'x' && rd(&b, RBR, 1) == 'y');
    free(items.item[--items.n].bytes);
    error = device_load(b.device, "uart0", &(struct state_source){give, &items});
    cr_assert_str_eq(error, "the saved state of uart0 lacks thre_pending");
    free(error);
    error = device_load(b.device, "uart1", &(struct state_source){give, &items});
    cr_assert_str_eq(error, "the saved state has no device uart1 (ns16550a)");
    free(error);
    items_free(&items);
    unplug(&a);
    unplug(&b);
}

/* --- clock chip --- */

Test(rtc, time_and_alarm)
{
    struct board b;
    plug(&b, "goldfish-rtc", NULL);
    int64_t before = clock_now(&b.clocks, CLOCK_HOST);
    uint64_t low = rd(&b, 0, 4), high = rd(&b, 4, 4);
    int64_t t = (int64_t)(high << 32 | low);
    cr_assert(t >= before && t <= clock_now(&b.clocks, CLOCK_HOST));
    wr(&b, 4, 4, 0x100);
    wr(&b, 0, 4, 0);
    t = (int64_t)rd(&b, 0, 4) | (int64_t)rd(&b, 4, 4) << 32;
    cr_assert(t >= (INT64_C(0x100) << 32) && t < (INT64_C(0x101) << 32), "the clock has been set");
    wr(&b, 0x10, 4, 1);
    t += 2000000;
    wr(&b, 0xc, 4, (uint64_t)t >> 32);
    wr(&b, 8, 4, (uint32_t)t);
    cr_assert(rd(&b, 0x18, 4) == 1 && !b.level[0]);
    while (!b.level[0])
        clocks_dispatch(&b.clocks);
    cr_assert((int64_t)(rd(&b, 0, 4) | rd(&b, 4, 4) << 32) >= t);
    wr(&b, 0x1c, 4, 1);
    cr_assert(!b.level[0] && rd(&b, 0x18, 4) == 0);
    wr(&b, 0xc, 4, 0x200);
    wr(&b, 8, 4, 0);
    cr_assert_eq(rd(&b, 0x18, 4), 1);
    wr(&b, 0x14, 4, 1);
    cr_assert_eq(rd(&b, 0x18, 4), 0, "cancelled");
    unplug(&b);
}

/* Time that stands still with the machine, and the alarm with it. */
Test(rtc, of_the_machine)
{
    enum { AHEAD = 5000000 };
    struct board b;
    board_begin(&b, "goldfish-rtc");
    board_set(&b, "virtual", "on");
    board_set(&b, "ahead", "5000000");
    board_realize(&b);
    cr_assert_eq(rd(&b, 0, 4), AHEAD);
    wr(&b, 0x10, 4, 1);
    wr(&b, 0xc, 4, 0);
    wr(&b, 8, 4, AHEAD + 1000);
    clocks_dispatch(&b.clocks);
    cr_assert(rd(&b, 0, 4) == AHEAD && !b.level[0]);
    clocks_set_virtual(&b.clocks, 1000);
    clocks_dispatch(&b.clocks);
    cr_assert(rd(&b, 0, 4) == AHEAD + 1000 && b.level[0]);
    unplug(&b);
}

/* --- power --- */

static int code = -1, resets;
static void poweroff(void *opaque, int exit_code) { code = exit_code; }
static void reset(void *opaque) { resets++; }

Test(syscon, commands)
{
    struct board b;
    plug(&b, "syscon", NULL);
    syscon_connect(b.device, &(struct syscon_events){poweroff, reset, NULL});
    cr_assert_eq(rd(&b, 0, 4), 0);
    wr(&b, 0, 4, 0x7777);
    cr_assert_eq(resets, 1);
    wr(&b, 0, 4, 0x1234);
    cr_assert_eq(code, -1);
    wr(&b, 0, 4, 0x00053333);
    cr_assert_eq(code, 5);
    wr(&b, 0, 4, 0x5555);
    cr_assert_eq(code, 0);
    unplug(&b);
}

/* Saved items are found by their names: in no class are two alike, and a name says something. */
Test(device, saved_names_differ)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        struct board b;
        static struct items items;
        items.n = 0;
        board_begin(&b, (*c)->name);
        device_save(b.device, "x", &(struct state_sink){keep, &items});
        for (unsigned i = 0; i < items.n; i++)
            for (unsigned k = 0; k < i; k++)
                cr_assert(strcmp(items.item[i].name, items.item[k].name), "%s: %s", (*c)->name, items.item[i].name);
        items_free(&items);
        device_free(b.device);
        mem_space_free(&b.memory);
    }
}
