/*
 * The AArch64 vDSO (vdso(7)). Each function is its system call; metic answers the calls that read clocks without
 * entering the host's kernel.
 */
#include "linux-user/aarch64/vdso.h"

#include "base/bits.h"

#define MOV_X8(n) (0xd2800008u | (n) << 5)
#define SVC       0xd4000001u
#define RET       0xd65f03c0u

enum { NR_clock_gettime = 113, NR_clock_getres = 114, NR_rt_sigreturn = 139, NR_gettimeofday = 169 };

static const uint32_t code[] = {
    MOV_X8(NR_rt_sigreturn), SVC, /* unwinders know a signal frame by these two */
    MOV_X8(NR_gettimeofday), SVC, RET,
    MOV_X8(NR_clock_gettime), SVC, RET,
    MOV_X8(NR_clock_getres), SVC, RET,
};

static const struct vdso_symbol symbols[] = {
    {"__kernel_rt_sigreturn", 0, 2},
    {"__kernel_gettimeofday", 2, 3},
    {"__kernel_clock_gettime", 5, 3},
    {"__kernel_clock_getres", 8, 3},
};

const struct vdso_desc a64_vdso = {
    .version = "LINUX_2.6.39",
    .code = code,
    .nwords = ARRAY_SIZE(code),
    .symbols = symbols,
    .nsymbols = ARRAY_SIZE(symbols),
};
