/*
 * The 16550A UART (National Semiconductor PC16550D data sheet): eight byte registers, FIFOs of 16 bytes, one interrupt
 * line. The line's speed is kept but not modelled: a byte is sent when the back end takes it.
 */
#include "hw/device.h"
#include "softmmu/chardev.h"

enum { FIFO_SIZE = 16 };

enum { IER_RX = 1, IER_THRE = 2, IER_LINE = 4, IER_MODEM = 8 };
enum { IIR_NONE = 1, IIR_MODEM = 0, IIR_THRE = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 12, IIR_FIFOS = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_BI = 16, LSR_THRE = 32, LSR_TEMT = 64, LSR_ERRORS = 0x1e };
enum {
    MSR_CTS = 16,
    MSR_DSR = 32,
    MSR_RI = 64,
    MSR_DCD = 128,
    MSR_DELTAS = 15,
    MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD
};

struct fifo {
    uint8_t byte[FIFO_SIZE], first, n;
};

struct ns16550a {
    struct device device;
    struct chardev *chardev;
    struct fifo rx, tx;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    uint8_t thre_pending; /* the transmitter became empty and nobody has looked; saved, so any value may come */
};

static struct ns16550a *uart(struct device *d) { return (struct ns16550a *)d; }

static unsigned capacity(const struct ns16550a *s) { return s->fcr & FCR_ENABLE ? FIFO_SIZE : 1; }

static void put(struct fifo *f, uint8_t byte)
{
    f->byte[(f->first + f->n++) % FIFO_SIZE] = byte;
}

static uint8_t take(struct fifo *f)
{
    uint8_t byte = f->byte[f->first];
    f->first = (f->first + 1) % FIFO_SIZE;
    f->n--;
    return byte;
}

/* --- interrupts: the highest pending one, 8.6 of the data sheet --- */

static unsigned rx_trigger(const struct ns16550a *s)
{
    static const uint8_t level[] = {1, 4, 8, 14};
    return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1;
}

static uint8_t pending(const struct ns16550a *s)
{
    if (s->ier & IER_LINE && s->lsr & LSR_ERRORS)
        return IIR_LINE;
    if (s->ier & IER_RX && s->rx.n >= rx_trigger(s))
        return IIR_RX;
    if (s->ier & IER_RX && s->rx.n) /* no more bytes are on their way: the timeout is over */
        return IIR_TIMEOUT;
    if (s->ier & IER_THRE && s->thre_pending)
        return IIR_THRE;
    if (s->ier & IER_MODEM && s->msr & MSR_DELTAS)
        return IIR_MODEM;
    return IIR_NONE;
}

static void update(struct ns16550a *s)
{
    s->lsr = (s->lsr & ~(LSR_DR | LSR_THRE | LSR_TEMT)) | (s->rx.n ? LSR_DR : 0) | (s->tx.n ? 0 : LSR_THRE | LSR_TEMT);
    irq_set(&s->device.irq[0], pending(s) != IIR_NONE);
}

/* --- bytes --- */

static void receive_byte(struct ns16550a *s, uint8_t byte)
{
    if (s->rx.n < capacity(s))
        put(&s->rx, byte);
    else
        s->lsr |= LSR_OE;
}

static void send(struct ns16550a *s)
{
    while (s->tx.n) {
        uint8_t byte = s->tx.byte[s->tx.first];
        if (s->chardev && !s->chardev->write(s->chardev, &byte, 1))
            break;
        take(&s->tx);
    }
    if (!s->tx.n)
        s->thre_pending = true;
}

static void transmit(struct ns16550a *s, uint8_t byte)
{
    s->thre_pending = false;
    if (s->mcr & MCR_LOOP) {
        receive_byte(s, byte);
        s->thre_pending = true;
        return;
    }
    if (s->tx.n < capacity(s))
        put(&s->tx, byte);
    send(s);
}

static size_t front_room(void *opaque)
{
    const struct ns16550a *s = opaque;
    return s->mcr & MCR_LOOP ? 0 : capacity(s) - s->rx.n;
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t n)
{
    struct ns16550a *s = opaque;
    for (size_t i = 0; i < n; i++)
        receive_byte(s, bytes[i]);
    update(s);
}

static void front_writable(void *opaque)
{
    send(opaque);
    update(opaque);
}

static void front_event(void *opaque, enum chardev_event event)
{
    struct ns16550a *s = opaque;
    if (event != CHARDEV_BREAK)
        return;
    receive_byte(s, 0);
    s->lsr |= LSR_BI;
    update(s);
}

/* --- registers --- */

static void set_byte(uint16_t *v, unsigned index, uint64_t byte)
{
    *v = (uint16_t)deposit64(*v, 8 * index, 8, byte);
}

static uint64_t read_data(struct device *d, const struct device_reg *r, unsigned index)
{
    struct ns16550a *s = uart(d);
    if (s->lcr & LCR_DLAB)
        return s->divisor & 0xff;
    uint8_t byte = s->rx.n ? take(&s->rx) : 0;
    update(s);
    if (s->chardev && s->chardev->resume)
        s->chardev->resume(s->chardev);
    return byte;
}

static void write_data(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct ns16550a *s = uart(d);
    if (s->lcr & LCR_DLAB) {
        set_byte(&s->divisor, 0, value);
        return;
    }
    transmit(s, (uint8_t)value);
    update(s);
}

static uint64_t read_ier(struct device *d, const struct device_reg *r, unsigned index)
{
    return uart(d)->lcr & LCR_DLAB ? uart(d)->divisor >> 8 : uart(d)->ier;
}

static void write_ier(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct ns16550a *s = uart(d);
    if (s->lcr & LCR_DLAB) {
        set_byte(&s->divisor, 1, value);
        return;
    }
    if (value & ~s->ier & IER_THRE && !s->tx.n)
        s->thre_pending = true;
    s->ier = value & 15;
    update(s);
}

static uint64_t read_iir(struct device *d, const struct device_reg *r, unsigned index)
{
    struct ns16550a *s = uart(d);
    uint8_t which = pending(s);
    if (which == IIR_THRE) {
        s->thre_pending = false;
        update(s);
    }
    return which | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static void write_fcr(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    struct ns16550a *s = uart(d);
    bool switched = (value ^ s->fcr) & FCR_ENABLE;
    if (switched || value & FCR_CLEAR_RX)
        s->rx.n = 0;
    if (switched || value & FCR_CLEAR_TX) {
        s->tx.n = 0;
        s->thre_pending = true;
    }
    s->fcr = value & (FCR_ENABLE | 0xc0);
    update(s);
    if (s->chardev && s->chardev->resume)
        s->chardev->resume(s->chardev);
}

static void write_mcr(struct device *d, const struct device_reg *r, unsigned index, uint64_t value)
{
    uart(d)->mcr = value & 31;
}

static uint64_t read_lsr(struct device *d, const struct device_reg *r, unsigned index)
{
    struct ns16550a *s = uart(d);
    uint8_t v = s->lsr;
    s->lsr &= ~LSR_ERRORS;
    update(s);
    return v;
}

static uint64_t read_msr(struct device *d, const struct device_reg *r, unsigned index)
{
    struct ns16550a *s = uart(d);
    if (s->mcr & MCR_LOOP) /* the outputs come back as inputs */
        return (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) | (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
               (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
    uint8_t v = s->msr;
    s->msr &= ~MSR_DELTAS;
    update(s);
    return v;
}

#define S(member) DEVICE_STATE(struct ns16550a, member)
static const struct device_reg regs[] = {
    {.name = "data", .offset = 0, .size = 1, .read = read_data, .write = write_data,
     .doc = "RBR, THR; with LCR's bit 7 the divisor's low byte"},
    {.name = "ier", .offset = 1, .size = 1, S(ier), .read = read_ier, .write = write_ier,
     .doc = "interrupt enable; with LCR's bit 7 the divisor's high byte"},
    {.name = "fcr", .offset = 2, .size = 1, S(fcr), .read = read_iir, .write = write_fcr,
     .doc = "read: IIR, the interrupt that is pending; written: FCR, FIFO control"},
    {.name = "lcr", .offset = 3, .size = 1, S(lcr), .doc = "line control; bit 7: access to the divisor"},
    {.name = "mcr", .offset = 4, .size = 1, S(mcr), .write = write_mcr, .doc = "modem control; bit 4: loop back"},
    {.name = "lsr", .offset = 5, .size = 1, .access = REG_RO, S(lsr), .reset = LSR_THRE | LSR_TEMT, .read = read_lsr,
     .doc = "line status"},
    {.name = "msr", .offset = 6, .size = 1, .access = REG_RO, S(msr), .reset = MSR_CONNECTED, .read = read_msr,
     .doc = "modem status"},
    {.name = "scr", .offset = 7, .size = 1, S(scr), .doc = "scratch"},
};
#undef S
static const struct device_window windows[] = {
    {.name = "uart", .size = 0x100, .regs = regs, .nregs = ARRAY_SIZE(regs)}};
static const char *const irqs[] = {"interrupt"};
static const struct device_prop props[] = {
    {"chardev", PROP_CHARDEV, offsetof(struct ns16550a, chardev), NULL, "what the line is connected to"},
};
static const struct device_saved saved[] = {
    DEVICE_SAVED_ARRAY(struct ns16550a, rx.byte), DEVICE_SAVED(struct ns16550a, rx.first),
    DEVICE_SAVED(struct ns16550a, rx.n),          DEVICE_SAVED_ARRAY(struct ns16550a, tx.byte),
    DEVICE_SAVED(struct ns16550a, tx.first),      DEVICE_SAVED(struct ns16550a, tx.n),
    DEVICE_SAVED(struct ns16550a, divisor),       DEVICE_SAVED(struct ns16550a, thre_pending),
};

static char *realize(struct device *d)
{
    struct ns16550a *s = uart(d);
    if (s->chardev)
        chardev_connect(s->chardev, &(struct chardev_front){front_room, front_receive, front_writable, front_event, s});
    return NULL;
}

static void unrealize(struct device *d)
{
    struct ns16550a *s = uart(d);
    if (s->chardev)
        chardev_connect(s->chardev, &(struct chardev_front){0});
}

static void reset(struct device *d)
{
    struct ns16550a *s = uart(d);
    s->rx = s->tx = (struct fifo){0};
    s->divisor = 12; /* 9600 baud */
    s->thre_pending = false;
    update(s);
}

/* A saved state may come from anywhere: positions stay inside. */
static void loaded(struct device *d)
{
    struct ns16550a *s = uart(d);
    struct fifo *fifos[] = {&s->rx, &s->tx};
    for (unsigned i = 0; i < ARRAY_SIZE(fifos); i++) {
        fifos[i]->first %= FIFO_SIZE;
        if (fifos[i]->n > FIFO_SIZE)
            fifos[i]->n = FIFO_SIZE;
    }
    send(s);
    update(s);
}

const struct device_class device_ns16550a = {
    DEVICE_CLASS,
    .name = "ns16550a",
    .doc = "16550A UART",
    .state_size = sizeof(struct ns16550a),
    .state_version = 1,
    DEVICE_WINDOWS(windows),
    DEVICE_IRQS(irqs),
    DEVICE_PROPS(props),
    DEVICE_SAVES(saved),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .loaded = loaded,
    .only_board = true,
};
