/* The virtio core by way of virtio-mmio and the simple devices: entropy and console. */
#include "softmmu/chardev.h"
#include "tests/virtio-driver.h"

/* Both ring layouts, with and without indirect tables and event indices. */
static const uint64_t layouts[] = {
    0,
    VIRTIO_INDIRECT_DESC,
    VIRTIO_EVENT_IDX,
    VIRTIO_RING_PACKED,
    VIRTIO_RING_PACKED | VIRTIO_INDIRECT_DESC | VIRTIO_EVENT_IDX,
};

Test(virtio, slot_without_device)
{
    struct board b;
    board_begin(&b, "virtio-mmio");
    board_realize(&b);
    cr_assert(rd(&b, 0, 4) == 0x74726976 && rd(&b, 4, 4) == 2 && rd(&b, 8, 4) == 0);
    fuzz_registers(&b, 10000, 5);
    unplug(&b);
}

Test(virtio, features_are_negotiated)
{
    struct driver d;
    driver_begin(&d, "virtio-rng-device");
    driver_plug(&d);
    cr_assert_eq(rd(&d.b, 8, 4), 4);
    cr_assert_not(driver_start(&d, 1, 8), "a feature it has not");
    cr_assert(driver_start(&d, 0, 8));
    wr(&d.b, V_STATUS, 4, 0);
    cr_assert_eq(rd(&d.b, V_STATUS, 4), 0);
    driver_end(&d);
}

Test(virtio, what_is_not_offered_is_not_accepted)
{
    static const struct {
        const char *property;
        uint64_t feature;
    } rows[] = {{"packed", VIRTIO_RING_PACKED}, {"event_idx", VIRTIO_EVENT_IDX}, {"indirect_desc", VIRTIO_INDIRECT_DESC}};
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
        struct driver d;
        driver_begin(&d, "virtio-rng-device");
        cr_assert_null(device_set(d.device, rows[i / 2].property, i % 2 ? "on" : "off"));
        driver_plug(&d);
        cr_assert_eq(driver_start(&d, rows[i / 2].feature, 8), i % 2 == 1);
        driver_end(&d);
    }
}

Test(rng, fills_buffers_through_every_ring)
{
    for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++) {
        struct driver d;
        driver_begin(&d, "virtio-rng-device");
        driver_plug(&d);
        cr_assert(driver_start(&d, layouts[l], 4));
        for (unsigned i = 0; i < 50; i++) {
            struct part parts[] = {{BUFFERS, 7, true}, {BUFFERS + 0x1000, 33, true}};
            memset(ram(&d, BUFFERS), 0, 0x2000);
            cr_assert_eq(driver_send(&d, 0, parts, 2, layouts[l] & VIRTIO_INDIRECT_DESC), 40);
            static const uint8_t zeros[33];
            cr_assert(memcmp(ram(&d, BUFFERS + 0x1000), zeros, 33) != 0);
            cr_assert_eq(memcmp((uint8_t *)ram(&d, BUFFERS) + 7, zeros, 33), 0, "nothing beyond the room");
        }
        cr_assert(d.b.level[0] && rd(&d.b, V_INTERRUPT, 4) == 1);
        wr(&d.b, V_ACK, 4, 1);
        cr_assert_not(d.b.level[0]);
        driver_end(&d);
    }
}

/* What the configuration shows for a selection: its size; the bytes are left in `bytes`. */
static unsigned select_config(struct driver *d, unsigned select, unsigned subsel, uint8_t *bytes)
{
    wr(&d->b, V_CONFIG, 1, select);
    wr(&d->b, V_CONFIG + 1, 1, subsel);
    unsigned n = (unsigned)rd(&d->b, V_CONFIG + 2, 1);
    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)rd(&d->b, V_CONFIG + 8 + i, 1);
    return n;
}

Test(keyboard, power_button)
{
    struct driver d;
    uint8_t bytes[128] = {0};
    driver_begin(&d, "virtio-keyboard-device");
    driver_plug(&d);
    device_powerdown(d.device); /* nobody listens */
    cr_assert_eq(rd(&d.b, 8, 4), 18);
    cr_assert_eq(select_config(&d, 1, 0, bytes), 18);
    cr_assert_eq(memcmp(bytes, "metic power button", 18), 0);
    cr_assert_eq(select_config(&d, 1, 1, bytes), 0);
    cr_assert_eq(select_config(&d, 3, 0, bytes), 8);
    cr_assert_eq(select_config(&d, 0x11, 2, bytes), 0, "no axes");
    unsigned n = select_config(&d, 0x11, 1, bytes);
    cr_assert(n == 15 && bytes[116 / 8] == 1 << 116 % 8, "KEY_POWER alone");
    cr_assert(driver_start(&d, 0, 8));
    device_powerdown(d.device);
    cr_assert_not(d.b.level[0], "no room for events: they are lost");
    struct driver_queue *q = &d.queue[0];
    uint16_t ring[6] = {0, 4, 0, 1, 2, 3}; /* flags, index, four heads */
    for (unsigned i = 0; i < 4; i++)
        write_desc_at(&d, q->desc, i, BUFFERS + 8 * i, 8, 2, 0);
    memcpy(ram(&d, q->driver), ring, sizeof ring);
    device_powerdown(d.device);
    static const uint8_t want[32] = {1, 0, 116, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 116};
    cr_assert_eq(memcmp(ram(&d, BUFFERS), want, sizeof want), 0);
    cr_assert(d.b.level[0]);
    struct part lamp = {BUFFERS, 8, false};
    cr_assert_eq(driver_send(&d, 1, &lamp, 1, false), 0, "lamps are taken note of");
    driver_end(&d);
}

Test(virtio, interrupts_as_the_driver_wants)
{
    struct part part = {BUFFERS, 8, true};
    struct driver d;
    driver_begin(&d, "virtio-rng-device");
    driver_plug(&d);
    driver_start(&d, 0, 4);
    uint8_t *avail = ram(&d, d.queue[0].driver);
    avail[0] = 1;
    driver_send(&d, 0, &part, 1, false);
    cr_assert_not(d.b.level[0], "the driver wants none");
    avail[0] = 0;
    driver_send(&d, 0, &part, 1, false);
    cr_assert(d.b.level[0]);

    driver_start(&d, VIRTIO_EVENT_IDX, 4);
    cr_assert_not(d.b.level[0]);
    driver_send(&d, 0, &part, 1, false);
    cr_assert(d.b.level[0]);
    wr(&d.b, V_ACK, 4, 1);
    avail[4 + 2 * 4] = 3; /* used_event: wants to know of the fourth */
    driver_send(&d, 0, &part, 1, false);
    driver_send(&d, 0, &part, 1, false);
    cr_assert_not(d.b.level[0]);
    driver_send(&d, 0, &part, 1, false);
    cr_assert(d.b.level[0]);
    const uint8_t *used = ram(&d, d.queue[0].device);
    cr_assert_eq(used[4 + 8 * 4], 4, "avail_event: the next one is to be notified");

    driver_start(&d, VIRTIO_RING_PACKED | VIRTIO_EVENT_IDX, 4);
    uint8_t *event = ram(&d, d.queue[0].driver);
    event[2] = 1;
    driver_send(&d, 0, &part, 1, false);
    cr_assert_not(d.b.level[0], "the driver wants none");
    event[0] = 0, event[1] = 0, event[2] = 2; /* the place 0 of the second round: its wrap counter is 0 */
    driver_send(&d, 0, &part, 1, false);
    driver_send(&d, 0, &part, 1, false);
    driver_send(&d, 0, &part, 1, false);
    cr_assert_not(d.b.level[0]);
    driver_send(&d, 0, &part, 1, false);
    cr_assert(d.b.level[0]);
    driver_end(&d);
}

static void expect_broken(struct driver *d, unsigned queue)
{
    driver_notify(d, queue);
    cr_assert(rd(&d->b, V_STATUS, 4) & VIRTIO_NEEDS_RESET);
    cr_assert(rd(&d->b, V_INTERRUPT, 4) & 2, "the driver is told");
    cr_assert(driver_start(d, d->features, 4));
    cr_assert_not(rd(&d->b, V_STATUS, 4) & VIRTIO_NEEDS_RESET);
}

Test(virtio, broken_rings_need_a_reset)
{
    struct part parts[] = {{BUFFERS, 8, true}, {BUFFERS + 64, 8, false}};
    struct driver d;
    driver_begin(&d, "virtio-rng-device");
    driver_plug(&d);
    driver_start(&d, 0, 4);
    driver_add(&d, 0, parts, 2, false); /* room first, then a message */
    expect_broken(&d, 0);
    driver_add(&d, 0, parts, 1, false);
    write_desc_at(&d, d.queue[0].desc, 0, BUFFERS, 8, 3, 0); /* a descriptor after itself */
    expect_broken(&d, 0);
    driver_add(&d, 0, parts, 1, false);
    write_desc_at(&d, d.queue[0].desc, 0, BUFFERS, 8, 3, 4); /* beyond the table */
    expect_broken(&d, 0);
    driver_add(&d, 0, parts, 1, true); /* not negotiated */
    expect_broken(&d, 0);
    ((uint8_t *)ram(&d, d.queue[0].driver))[2] = 5; /* more than the ring holds */
    expect_broken(&d, 0);
    driver_start(&d, VIRTIO_INDIRECT_DESC, 4);
    driver_add(&d, 0, parts, 1, true);
    write_desc_at(&d, TABLES, 0, TABLES, 16, 4, 0); /* a table in a table */
    expect_broken(&d, 0);
    driver_add(&d, 0, parts, 1, true);
    write_desc_at(&d, d.queue[0].desc, 0, TABLES, 17, 4, 0);
    expect_broken(&d, 0);
    driver_end(&d);
}

/* --- console --- */

struct terminal {
    struct chardev chardev;
    char sent[8192];
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

static void plug_console(struct driver *d, struct terminal *t, size_t room)
{
    memset(t, 0, sizeof *t);
    t->chardev.write = terminal_write;
    t->room = room;
    driver_begin(d, "virtio-console-device");
    device_set_backend(d->device, "chardev", t);
    driver_plug(d);
}

Test(console, bytes_both_ways)
{
    for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++) {
        bool indirect = layouts[l] & VIRTIO_INDIRECT_DESC;
        struct terminal t;
        struct driver d;
        plug_console(&d, &t, 4096);
        const struct chardev_front *f = &t.chardev.front;
        cr_assert_eq(f->room(f->opaque), 0);
        driver_start(&d, layouts[l], 8);
        memcpy(ram(&d, BUFFERS), "hello, world", 12);
        struct part out[] = {{BUFFERS, 5, false}, {BUFFERS + 5, 7, false}};
        for (unsigned i = 0; i < 10; i++)
            driver_send(&d, 1, out, 2, indirect);
        cr_assert(t.n == 120 && !memcmp(t.sent, "hello, worldhello, world", 24));
        struct part in[] = {{BUFFERS, 3, true}, {BUFFERS + 0x100, 100, true}};
        driver_add(&d, 0, in, 2, indirect);
        driver_notify(&d, 0);
        cr_assert_eq(f->room(f->opaque), 103);
        f->receive(f->opaque, (const uint8_t *)"abcdef", 6);
        uint32_t written;
        cr_assert(driver_used(&d, 0, indirect ? 1 : 2, &written) && written == 6);
        cr_assert(!memcmp(ram(&d, BUFFERS), "abc", 3) && !memcmp(ram(&d, BUFFERS + 0x100), "def", 3));
        cr_assert_eq(f->room(f->opaque), 0);
        wr(&d.b, V_CONFIG + 8, 4, '!');
        cr_assert_eq(t.sent[120], '!', "emergency write");
        driver_end(&d);
        cr_assert_null(t.chardev.front.receive);
    }
}

Test(console, waits_for_the_back_end_and_moves)
{
    for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++) {
        bool indirect = layouts[l] & VIRTIO_INDIRECT_DESC;
        struct terminal t, t2;
        struct driver d, d2;
        uint32_t written;
        plug_console(&d, &t, 4);
        driver_start(&d, layouts[l], 8);
        memcpy(ram(&d, BUFFERS), "0123456789", 10);
        struct part out[] = {{BUFFERS, 1, false}, {BUFFERS + 1, 9, false}};
        driver_add(&d, 1, out, 2, indirect);
        driver_notify(&d, 1);
        cr_assert(!driver_used(&d, 1, indirect ? 1 : 2, &written) && t.n == 4);
        /* the other machine has the same memory */
        plug_console(&d2, &t2, 4096);
        memcpy(d2.ram.host, d.ram.host, RAM_SIZE);
        transfer(d.b.device, d2.b.device);
        transfer(d.device, d2.device);
        cr_assert(t2.n == 6 && !memcmp(t2.sent, "456789", 6), "the rest goes out there");
        memcpy(d2.queue, d.queue, sizeof d.queue);
        d2.features = d.features;
        cr_assert(driver_used(&d2, 1, indirect ? 1 : 2, &written));
        t.room = 100;
        t.chardev.front.writable(t.chardev.front.opaque);
        cr_assert(t.n == 10 && driver_used(&d, 1, indirect ? 1 : 2, &written));
        driver_send(&d, 1, out, 2, indirect);
        driver_send(&d2, 1, out, 2, indirect);
        driver_end(&d);
        driver_end(&d2);
    }
}

/* --- anything --- */

Test(virtio, any_ring)
{
    struct driver d;
    driver_begin(&d, "virtio-rng-device");
    driver_plug(&d);
    driver_fuzz(&d, 300, 1);
    fuzz_registers(&d.b, 20000, 2);
    cr_assert(driver_start(&d, 0, 4));
    driver_end(&d);
}

Test(console, any_ring)
{
    struct terminal t;
    struct driver d;
    plug_console(&d, &t, 0);
    const struct chardev_front *f = &t.chardev.front;
    for (unsigned i = 0; i < 300; i++) {
        t.n = 0;
        t.room = 100 * (i % 3);
        driver_fuzz(&d, 1, i + 1);
        uint8_t bytes[4096] = {0};
        f->receive(f->opaque, bytes, f->room(f->opaque));
    }
    driver_end(&d);
}
