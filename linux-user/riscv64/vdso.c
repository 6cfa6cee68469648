/*
 * The riscv64 vDSO (vdso(7)). Each function is its system call; metic answers the calls that read clocks without
 * entering the host's kernel.
 */
#include "linux-user/riscv64/vdso.h"

#include "base/bits.h"

#define LI_A7(n) ((n) << 20 | 0x893u)
#define ECALL    0x73u
#define RET      0x8067u

enum {
    NR_clock_gettime = 113,
    NR_clock_getres = 114,
    NR_rt_sigreturn = 139,
    NR_getcpu = 168,
    NR_gettimeofday = 169,
    NR_riscv_hwprobe = 258,
    NR_riscv_flush_icache = 259,
};

static const uint32_t code[] = {
    LI_A7(NR_rt_sigreturn), ECALL, /* unwinders know a signal frame by these two */
    LI_A7(NR_gettimeofday), ECALL, RET,
    LI_A7(NR_clock_gettime), ECALL, RET,
    LI_A7(NR_clock_getres), ECALL, RET,
    LI_A7(NR_getcpu), ECALL, RET,
    LI_A7(NR_riscv_flush_icache), ECALL, RET,
    LI_A7(NR_riscv_hwprobe), ECALL, RET,
};

static const struct vdso_symbol symbols[] = {
    {"__vdso_rt_sigreturn", 0, 2},
    {"__vdso_gettimeofday", 2, 3},
    {"__vdso_clock_gettime", 5, 3},
    {"__vdso_clock_getres", 8, 3},
    {"__vdso_getcpu", 11, 3},
    {"__vdso_flush_icache", 14, 3},
    {"__vdso_riscv_hwprobe", 17, 3},
};

const struct vdso_desc rv64_vdso = {
    .version = "LINUX_4.15",
    .code = code,
    .nwords = ARRAY_SIZE(code),
    .symbols = symbols,
    .nsymbols = ARRAY_SIZE(symbols),
};
