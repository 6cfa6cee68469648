/* What the tests on a bare riscv64 virt machine share: registers, the terminal, the end. */
#ifndef TESTS_SYSTEM_RISCV64_LIB_H
#define TESTS_SYSTEM_RISCV64_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define read_csr(name) ({ uint64_t v_; __asm__ volatile("csrr %0, " #name : "=r"(v_)); v_; })
#define write_csr(name, v) __asm__ volatile("csrw " #name ", %0" : : "r"((uint64_t)(v)) : "memory")
#define set_csr(name, v)   __asm__ volatile("csrs " #name ", %0" : : "r"((uint64_t)(v)) : "memory")
#define clear_csr(name, v) __asm__ volatile("csrc " #name ", %0" : : "r"((uint64_t)(v)) : "memory")
#define fence_i()          __asm__ volatile("fence.i" : : : "memory")
#define sfence()           __asm__ volatile("sfence.vma" : : : "memory")

enum { MACHINE = 3, SUPERVISOR = 1, USER = 0 };
enum { UART = 0x10000000, TEST_DEVICE = 0x100000, CLINT = 0x2000000, CLINT_CMP = CLINT + 0x4000, CLINT_TIME = CLINT + 0xbff8 };

/* Registers as trap_entry saved them, by number; [33] is the stack pointer. */
struct frame {
    uint64_t x[34];
};
/* Each test's own: what happened, and where to go on (mepc). */
void trap(struct frame *f);
int main(void);
void secondary(uint64_t hart);

void finish(int code) __attribute__((noreturn));
void print(const char *text);
/* A line of 16 hexadecimal digits. */
void print_number(uint64_t v);
/* Fails the test with the line's number. */
#define CHECK(cond) ((cond) ? (void)0 : failed(#cond, __LINE__))
void failed(const char *what, int line) __attribute__((noreturn));

/* Goes on in the mode at fn, which ends with an ECALL; the code of the mode's trap is in mcause then. */
void run_in(int mode, void (*fn)(void));
/* For trap(): is it that ECALL? It goes on behind run_in() then. */
bool came_back(struct frame *f);

static inline uint64_t time_now(void) { return *(volatile uint64_t *)CLINT_TIME; }

extern volatile uint64_t last_scause, last_stval;
extern volatile uint64_t below_sp; /* the stack pointer of who called run_in(); 0: nobody */
extern char back_from_below[];
extern char trap_entry[], strap_entry[];

#endif
