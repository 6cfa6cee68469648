/*
 * The Advanced Interrupt Architecture as software sees it (-M virt,aia=aplic-imsic -smp 2): interrupt files written by
 * harts and by the APLIC, claims, priorities, and interrupts that machine mode makes up for supervisor mode.
 */
#include "lib.h"

#define miselect 0x350
#define mireg    0x351
#define mtopei   0x35c
#define mtopi    0xfb0
#define mvien    0x308
#define mvip     0x309
#define siselect 0x150
#define sireg    0x151
#define stopei   0x15c
#define stopi    0xdb0
/* As read_csr() and the like, for numbers. */
#define get(number)      ({ uint64_t v_; __asm__ volatile("csrr %0, %1" : "=r"(v_) : "i"(number)); v_; })
#define put(number, v)   __asm__ volatile("csrw %0, %1" : : "i"(number), "r"((uint64_t)(v)) : "memory")
#define set(number, v)   __asm__ volatile("csrs %0, %1" : : "i"(number), "r"((uint64_t)(v)) : "memory")
#define clear(number, v) __asm__ volatile("csrc %0, %1" : : "i"(number), "r"((uint64_t)(v)) : "memory")
#define swap(number, v)  ({ uint64_t v_; __asm__ volatile("csrrw %0, %1, %2" : "=r"(v_) : "i"(number), "r"((uint64_t)(v)) : "memory"); v_; })

enum { SSOFT = 1, MSOFT = 3, SEXT = 9, MEXT = 11, VIRTUAL = 20 };
enum { EIDELIVERY = 0x70, EITHRESHOLD = 0x72, EIP = 0x80, EIE = 0xc0, PRIORITIES = 0x30 };
enum { IMSIC_M = 0x24000000, IMSIC_S = 0x28000000, APLIC_M = 0xc000000 };
enum { ROUNDS = 2000, LAST = 50 };

static volatile uint64_t cause, illegal, taken, identity;
static volatile uint32_t asked;

void trap(struct frame *f)
{
    cause = read_csr(mcause);
    if (cause == (UINT64_C(1) << 63 | MEXT)) {
        identity = swap(mtopei, 0) >> 16;
        taken++;
        return;
    }
    if (came_back(f))
        return;
    CHECK(cause == 2);
    illegal++;
    write_csr(mepc, read_csr(mepc) + 4);
}

static void send(uint64_t files, unsigned hart, uint32_t id) { *(volatile uint32_t *)(files + 0x1000 * hart) = id; }
static volatile uint32_t *aplic(uint32_t offset) { return (volatile uint32_t *)(uint64_t)(APLIC_M + offset); }

static uint64_t chosen(uint64_t select)
{
    put(miselect, select);
    return get(mireg);
}

static void choose(uint64_t select, uint64_t v)
{
    put(miselect, select);
    put(mireg, v);
}

/* The own file, without interrupts. */
static void files(void)
{
    choose(EIDELIVERY, 1);
    choose(EIE, UINT64_MAX);
    CHECK(chosen(EIE) == ~UINT64_C(1));
    put(miselect, EIE + 2);
    set(mireg, 1 << 6);
    CHECK(get(mtopei) == 0 && !(read_csr(mip) >> MEXT & 1));
    send(IMSIC_M, 0, 70);
    send(IMSIC_M, 0, 33);
    CHECK(get(mtopei) == (33 << 16 | 33) && read_csr(mip) >> MEXT & 1);
    choose(EITHRESHOLD, 33);
    CHECK(get(mtopei) == 0 && !(read_csr(mip) >> MEXT & 1));
    choose(EITHRESHOLD, 0);
    CHECK(swap(mtopei, 0) == (33 << 16 | 33) && get(mtopei) == (70 << 16 | 70));
    put(miselect, EIP + 2);
    clear(mireg, 1 << 6);
    CHECK(get(mtopei) == 0);
    illegal = 0;
    put(miselect, EIP + 1); /* for 32 bits */
    get(mireg);
    put(miselect, 0x50);
    get(mireg);
    CHECK(illegal == 2);
    /* taken as an interrupt */
    write_csr(mie, 1 << MEXT);
    send(IMSIC_M, 0, 5);
    set_csr(mstatus, 8);
    while (!taken)
        ;
    clear_csr(mstatus, 8);
    CHECK(taken == 1 && identity == 5 && get(mtopei) == 0);
}

static void priorities(void)
{
    write_csr(mideleg, 0);
    write_csr(mie, 1 << MEXT | 1 << SSOFT | 1 << SEXT);
    CHECK(get(mtopi) == 0);
    write_csr(mip, 1 << SSOFT | 1 << SEXT);
    CHECK(get(mtopi) == (SEXT << 16 | 255));
    choose(PRIORITIES, 7 << 8); /* of SSOFT */
    CHECK(chosen(PRIORITIES) == 7 << 8 && get(mtopi) == (SSOFT << 16 | 7));
    choose(PRIORITIES + 2, UINT64_MAX);
    CHECK(chosen(PRIORITIES + 2) == 0xff00); /* SEXT has one, MEXT the IMSIC's */
    send(IMSIC_M, 0, 8);
    CHECK(get(mtopi) == (SSOFT << 16 | 7));
    send(IMSIC_M, 0, 6);
    CHECK(get(mtopi) == (MEXT << 16 | 6));
    put(mtopei, 0);
    put(mtopei, 0);
    write_csr(mip, 0);
    choose(PRIORITIES, 0);
    choose(PRIORITIES + 2, 0);
    CHECK(get(mtopi) == 0 && get(mtopei) == 0);
}

/* Another hart answers each message with one. It is a message that ends it, for none may be left unanswered. */
void secondary(uint64_t hart)
{
    choose(EIDELIVERY, 1);
    choose(EIE, UINT64_MAX);
    write_csr(mie, 1 << MEXT);
    asked = 1;
    uint64_t id;
    do {
        while (!(read_csr(mip) >> MEXT & 1))
            __asm__ volatile("wfi");
        id = swap(mtopei, 0) >> 16;
        send(IMSIC_M, 0, (uint32_t)id + 1);
    } while (id != LAST);
    for (;;)
        __asm__ volatile("wfi");
}

static void two_harts(void)
{
    write_csr(mie, 1 << MEXT);
    while (!asked)
        ;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t id = 1 + i % 40;
        send(IMSIC_M, 1, id);
        while (!(read_csr(mip) >> MEXT & 1))
            __asm__ volatile("wfi");
        CHECK(swap(mtopei, 0) == ((id + 1) << 16 | (id + 1)));
    }
    /* a source of the APLIC becomes a message, to the other hart and from it */
    *aplic(0x1bc0) = IMSIC_M >> 12;
    *aplic(0x1bc4) = 1 << 12;
    *aplic(0) = 1 << 8;
    *aplic(4 * 60) = 1; /* detached */
    *aplic(0x3000 + 4 * 60) = 1 << 18 | 9;
    *aplic(0x1edc) = 60;
    *aplic(0x1cdc) = 60;
    while (!(read_csr(mip) >> MEXT & 1))
        __asm__ volatile("wfi");
    CHECK(swap(mtopei, 0) == (10 << 16 | 10));
    send(IMSIC_M, 1, LAST);
    while (swap(mtopei, 0) != ((LAST + 1) << 16 | (LAST + 1)))
        ;
}

static volatile uint64_t seen[8];

static void supervisor(void)
{
    put(siselect, EIDELIVERY);
    put(sireg, 1);
    put(siselect, EIE);
    put(sireg, UINT64_MAX);
    send(IMSIC_S, 0, 12);
    seen[0] = read_csr(sip) >> SEXT & 1;
    write_csr(sie, 1 << SEXT);
    seen[1] = get(stopi);
    seen[2] = swap(stopei, 0);
    seen[3] = get(stopi);
    __asm__ volatile("ecall");
}

static void made_up(void)
{
    seen[0] = read_csr(sip);
    write_csr(sie, UINT64_C(1) << VIRTUAL | 1 << SEXT);
    seen[1] = read_csr(sie);
    seen[2] = get(stopi);
    clear_csr(sip, UINT64_C(1) << VIRTUAL);
    seen[3] = get(stopi);
    get(stopei); /* illegal: machine mode has taken it over */
    __asm__ volatile("ecall");
}

static void interrupted(void)
{
    set_csr(sstatus, 2);
    __asm__ volatile(".option push\n.option norvc\nnop\nnop\necall\n.option pop"); /* the handler skips one */
}

static void closed(void)
{
    get(stopei);
    get(stopi);
    get(siselect);
    __asm__ volatile("ecall");
}

static void supervisor_level(void)
{
    write_csr(pmpaddr0, UINT64_MAX);
    write_csr(pmpcfg0, 0x1f);
    write_csr(stvec, strap_entry);
    write_csr(mideleg, 1 << SEXT);
    write_csr(mie, 0);
    illegal = 0;
    run_in(SUPERVISOR, closed);
    CHECK(illegal == 3);
    write_csr(mstateen0, UINT64_C(7) << 58);
    run_in(SUPERVISOR, supervisor);
    CHECK(illegal == 3 && seen[0] && seen[1] == (SEXT << 16 | 12) && seen[2] == (12 << 16 | 12) && !seen[3]);
    write_csr(mideleg, 0);
    put(mvien, UINT64_C(1) << VIRTUAL | 1 << SEXT);
    put(mvip, UINT64_C(1) << VIRTUAL | 1 << SEXT);
    run_in(SUPERVISOR, made_up);
    CHECK(illegal == 4);
    CHECK(seen[0] == (UINT64_C(1) << VIRTUAL | 1 << SEXT) && seen[1] == seen[0]);
    CHECK(seen[2] == (VIRTUAL << 16)); /* before the external interrupt by default */
    CHECK(seen[3] == (SEXT << 16 | 255) && get(mvip) == 1 << SEXT && !(read_csr(mip) >> SEXT & 1));
    put(mvip, UINT64_C(1) << VIRTUAL);
    last_scause = 0;
    clear_csr(mstatus, 2);
    run_in(SUPERVISOR, interrupted);
    CHECK(last_scause == (UINT64_C(1) << 63 | VIRTUAL));
}

int main(void)
{
    files();
    priorities();
    two_harts();
    supervisor_level();
    print("right\n");
    finish(0);
}
