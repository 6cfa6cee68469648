/*
 * Page tables: permissions and faults, changes and SFENCE.VMA, accesses and instructions across the end of a page, code
 * that changes under several addresses.
 */
#include "lib.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128, PAGE = 4096 };
enum { LOAD_FAULT = 13, STORE_FAULT = 15, FETCH_FAULT = 12 };

static uint64_t root[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096))),
    last[512] __attribute__((aligned(4096)));
static uint8_t memory[8][PAGE] __attribute__((aligned(4096)));
static volatile uint64_t cause, value, resume, count;
static const uint64_t mprv = UINT64_C(1) << 17 | UINT64_C(1) << 11, mpp = UINT64_C(3) << 11;

/* Goes on where the test says. */
void trap(struct frame *f)
{
    cause = read_csr(mcause);
    value = read_csr(mtval);
    count++;
    write_csr(mepc, resume ? resume : read_csr(mepc) + 4);
    resume = 0;
    set_csr(mstatus, mpp); /* back to machine mode */
}

void secondary(uint64_t hart) {}
/* Virtual pages of the test lie at 1 GiB. */
#define AREA UINT64_C(0x40000000)

static void map(unsigned page, const void *to, unsigned bits)
{
    last[page] = (uint64_t)to >> 12 << 10 | bits;
}

static void *at(unsigned page, unsigned offset) { return (void *)(AREA + page * PAGE + offset); }

/* Loads and stores as supervisor, by MPRV: in one piece, since the compiler's own accesses are not to be among them. */
#define AS_SUPERVISOR(access) "csrc mstatus, %3\n\tcsrs mstatus, %2\n\t" access "\n\tcsrc mstatus, %2"

static uint64_t load(const void *p)
{
    uint64_t v = 0;
    __asm__ volatile(".option push\n.option norvc\n" AS_SUPERVISOR("ld %0, 0(%1)") "\n.option pop" : "+r"(v) : "r"(p), "r"(mprv), "r"(mpp) : "memory");
    return v;
}

static void store(void *p, uint64_t v)
{
    __asm__ volatile(".option push\n.option norvc\n" AS_SUPERVISOR("sd %0, 0(%1)") "\n.option pop" : : "r"(v), "r"(p), "r"(mprv), "r"(mpp) : "memory");
}

#define FAULTS(access, number, address)                                                      \
    do {                                                                                     \
        uint64_t before = count;                                                             \
        access;                                                                              \
        CHECK(count == before + 1 && cause == (number) && value == (uint64_t)(address));     \
    } while (0)

static void data(void)
{
    uint64_t before = count;
    map(0, memory[0], V | R | W | A | D);
    map(1, memory[1], V | R | A | D);
    sfence();
    store(at(0, 8), 0x1122334455667788);
    CHECK(*(uint64_t *)&memory[0][8] == 0x1122334455667788 && load(at(0, 8)) == 0x1122334455667788);
    memory[1][0] = 0x5a;
    CHECK((load(at(1, 0)) & 0xff) == 0x5a && count == before);
    FAULTS(store(at(1, 16), 1), STORE_FAULT, at(1, 16));
    FAULTS(load(at(2, 24)), LOAD_FAULT, at(2, 24));
    FAULTS(load((void *)(AREA | UINT64_C(1) << 50)), LOAD_FAULT, AREA | UINT64_C(1) << 50);
    /* across the end of a page: both halves, or none */
    map(1, memory[3], V | R | W | A | D);
    sfence();
    store(at(0, PAGE - 3), 0x0807060504030201);
    CHECK(memory[0][PAGE - 1] == 3 && memory[3][0] == 4 && memory[3][4] == 8 && load(at(0, PAGE - 3)) == 0x0807060504030201);
    map(1, memory[3], V | R | A);
    sfence();
    FAULTS(store(at(0, PAGE - 4), 0), STORE_FAULT, at(1, 0));
    CHECK(memory[0][PAGE - 1] == 3);
    /* what has changed is seen behind the fence, of this page or of all */
    map(0, memory[4], V | R | W | A | D);
    memory[4][8] = 0x77;
    __asm__ volatile("sfence.vma %0, zero" : : "r"(at(0, 0)) : "memory");
    CHECK((load(at(0, 8)) & 0xff) == 0x77);
    /* supervisor reads a user's page only with SUM */
    map(0, memory[4], V | R | W | U | A | D);
    sfence();
    FAULTS(load(at(0, 8)), LOAD_FAULT, at(0, 8));
    set_csr(mstatus, UINT64_C(1) << 18);
    CHECK((load(at(0, 8)) & 0xff) == 0x77);
    clear_csr(mstatus, UINT64_C(1) << 18);
    FAULTS(load(at(0, 8)), LOAD_FAULT, at(0, 8));
    /* and an executable one only with MXR */
    map(0, memory[4], V | X | A | D);
    sfence();
    FAULTS(load(at(0, 8)), LOAD_FAULT, at(0, 8));
    set_csr(mstatus, UINT64_C(1) << 19);
    CHECK((load(at(0, 8)) & 0xff) == 0x77);
    clear_csr(mstatus, UINT64_C(1) << 19);
    FAULTS(load(at(0, 8)), LOAD_FAULT, at(0, 8));
}

/* --- code: li a0, n; ecall, which comes back here --- */

static uint64_t call(uint64_t address)
{
    register uint64_t a0 __asm__("a0") = 0;
    clear_csr(mstatus, UINT64_C(3) << 11);
    set_csr(mstatus, UINT64_C(1) << 11);
    write_csr(mepc, address);
    __asm__ volatile("la t0, 1f\n sd t0, %1\n mret\n .balign 4\n1:" : "+r"(a0), "=m"(resume) : : "t0", "memory");
    return a0;
}

static void put_code(uint8_t *p, unsigned n)
{
    uint32_t li = 0x00000513 | n << 20, ecall = 0x00000073;
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(li >> 8 * i);
        p[4 + i] = (uint8_t)(ecall >> 8 * i);
    }
}

static void code(void)
{
    map(0, memory[0], V | X | A);
    map(1, memory[1], V | X | A);
    sfence();
    put_code(memory[0] + 0x100, 11);
    fence_i();
    for (unsigned i = 0; i < 3000; i++) /* long enough to be hot */
        CHECK(call(AREA + 0x100) == 11 && cause == 9);
    put_code(memory[0] + 0x100, 12);
    fence_i();
    CHECK(call(AREA + 0x100) == 12);
    /* the same page elsewhere: changes are seen there, too */
    map(2, memory[0], V | X | A);
    sfence();
    CHECK(call(AREA + 2 * PAGE + 0x100) == 12);
    put_code(memory[0] + 0x100, 13);
    fence_i();
    CHECK(call(AREA + 2 * PAGE + 0x100) == 13 && call(AREA + 0x100) == 13);
    /* another page at the same address */
    put_code(memory[1] + 0x100, 14);
    map(0, memory[1], V | X | A);
    sfence();
    CHECK(call(AREA + 0x100) == 14);
    /* an instruction half of which is in the next page */
    map(0, memory[0], V | X | A);
    sfence();
    uint8_t bytes[8];
    put_code(bytes, 15);
    for (unsigned i = 0; i < 8; i++)
        *(i < 2 ? &memory[0][PAGE - 2 + i] : &memory[1][i - 2]) = bytes[i];
    fence_i();
    CHECK(call(AREA + PAGE - 2) == 15 && call(AREA + PAGE - 2) == 15);
    put_code(bytes, 15 + 16 * 4); /* its second half changes */
    memory[1][0] = bytes[2];
    memory[1][1] = bytes[3];
    fence_i();
    CHECK(call(AREA + PAGE - 2) == 15 + 16 * 4);
    put_code(bytes, 15 + 16 * 5);
    for (unsigned i = 2; i < 8; i++)
        memory[5][i - 2] = bytes[i];
    map(1, memory[5], V | X | A); /* or another page is behind it */
    sfence();
    CHECK(call(AREA + PAGE - 2) == 15 + 16 * 5);
    map(1, memory[5], V | R | A);
    sfence();
    call(AREA + PAGE - 2);
    CHECK(cause == FETCH_FAULT && value == AREA + PAGE);
    call(AREA + 3 * PAGE);
    CHECK(cause == FETCH_FAULT && value == AREA + 3 * PAGE);
}

/*
 * Page tables that change, and no fence yet: either page may be used, but code stays that of its page, and the machine
 * goes on.
 */
static void late_fence(void)
{
    static const unsigned offsets[] = {0x200, 0, PAGE - 2}; /* the last: half of it in the next page */
    for (unsigned i = 0; i < 3; i++) {
        uint8_t a[8], b[8];
        unsigned offset = offsets[i];
        map(4, memory[2], V | X | A); /* the page in question; behind it memory[3] and memory[6], in front of it nothing */
        map(5, memory[3], V | X | A);
        map(3, memory[2], 0);
        put_code(memory[2] + 0x100, 20);
        put_code(memory[4] + 0x100, 20);
        put_code(a, 21 + i);
        put_code(b, 41 + i);
        for (unsigned k = 0; k < 8; k++) {
            *(offset + k < PAGE ? &memory[2][offset + k] : &memory[3][offset + k - PAGE]) = a[k];
            *(offset + k < PAGE ? &memory[4][offset + k] : &memory[6][offset + k - PAGE]) = b[k];
        }
        fence_i();
        sfence();
        CHECK(call(AREA + 4 * PAGE + 0x100) == 20); /* so that the processor knows the page */
        map(4, memory[4], V | X | A);
        map(5, memory[6], V | X | A);
        uint64_t got = call(AREA + 4 * PAGE + offset);
        CHECK(got == 21 + i || got == 41 + i);
        map(4, memory[2], V | X | A);
        map(5, memory[3], V | X | A);
        sfence();
        CHECK(call(AREA + 4 * PAGE + offset) == 21 + i);
        map(4, memory[4], V | X | A);
        map(5, memory[6], V | X | A);
        sfence();
        CHECK(call(AREA + 4 * PAGE + offset) == 41 + i);
        /* the page goes away */
        fence_i();
        CHECK(call(AREA + 4 * PAGE + 0x100) == 20);
        put_code(memory[4] + 0x300, 30);
        put_code(memory[4], 31);
        fence_i();
        map(4, memory[4], 0);
        got = call(AREA + 4 * PAGE + (i ? 0x300 : 0));
        CHECK(cause == FETCH_FAULT ? value == AREA + 4 * PAGE + (i ? 0x300 : 0) : got == (i ? 30 : 31));
        map(4, memory[4], V | X | A);
        sfence();
        CHECK(call(AREA + 4 * PAGE + (i ? 0x300 : 0)) == (i ? 30 : 31));
    }
}

int main(void)
{
    write_csr(pmpaddr0, UINT64_MAX);
    write_csr(pmpcfg0, 0x1f);
    write_csr(medeleg, 0);
    root[1] = (uint64_t)middle >> 12 << 10 | V;
    middle[0] = (uint64_t)last >> 12 << 10 | V;
    write_csr(satp, UINT64_C(8) << 60 | (uint64_t)root >> 12);
    data();
    code();
    late_fence();
    print("right\n");
    finish(0);
}
