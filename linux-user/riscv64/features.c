/* /proc/cpuinfo and riscv_hwprobe of the riscv64 guest. */
#include "linux-user/riscv64/features.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "targets/riscv/cpu.h"
#include "targets/riscv/extensions.h"

void rv64_print_cpuinfo(int fd, unsigned ncpus)
{
    for (unsigned i = 0; i < ncpus; i++) {
        dprintf(fd, "processor\t: %u\nhart\t\t: %u\nisa\t\t: rv64i", i, i);
#define X(name, bit, on) if (on) dprintf(fd, #name);
        RV_SINGLE_LETTER(X)
#undef X
#define X(name, bit, on) if (on) dprintf(fd, "_" #name);
        RV_MULTI_LETTER(X)
#undef X
        dprintf(fd, "\nmmu\t\t: sv39\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n\n");
    }
}

enum { KEY_MVENDORID, KEY_MARCHID, KEY_MIMPID, KEY_BASE_BEHAVIOR, KEY_IMA_EXT_0, KEY_CPUPERF_0, KEY_ZICBOZ_BLOCK_SIZE,
       KEY_HIGHEST_VIRT_ADDRESS, KEY_TIME_CSR_FREQ, KEY_MISALIGNED_SCALAR_PERF };
enum { WHICH_CPUS = 1, MISALIGNED_FAST = 3 };

/* All harts are alike, so a key has one value. False: unknown key. */
static bool probe(int64_t key, uint64_t *value)
{
    switch (key) {
    case KEY_MVENDORID:
    case KEY_MARCHID:
    case KEY_MIMPID:
        *value = 0;
        return true;
    case KEY_BASE_BEHAVIOR:
        *value = 1; /* IMA */
        return true;
    case KEY_IMA_EXT_0:
        *value = 0;
#define X(name, bit, on) *value |= (on) && (bit) >= 0 ? UINT64_C(1) << ((bit) & 63) : 0;
        RV_EXTENSIONS(X)
#undef X
        return true;
    case KEY_CPUPERF_0:
    case KEY_MISALIGNED_SCALAR_PERF:
        *value = MISALIGNED_FAST;
        return true;
    case KEY_ZICBOZ_BLOCK_SIZE:
        *value = RV_CACHE_BLOCK;
        return true;
    case KEY_HIGHEST_VIRT_ADDRESS: *value = (UINT64_C(1) << RV_USER_ADDRESS_BITS) - 1; return true;
    case KEY_TIME_CSR_FREQ:
        *value = RV_TIME_FREQUENCY;
        return true;
    default:
        return false;
    }
}

/* Whether a hart with value `have` is one that the pair asks for (RISCV_HWPROBE_WHICH_CPUS). */
static bool matches(int64_t key, uint64_t have, uint64_t want)
{
    bool bitmap = key == KEY_BASE_BEHAVIOR || key == KEY_IMA_EXT_0 || key == KEY_CPUPERF_0;
    return bitmap ? (have & want) == want : have == want;
}

/* riscv_hwprobe(pairs, pair_count, cpusetsize, cpus, flags) */
int64_t sys_riscv_hwprobe(struct task *t, const uint64_t a[6])
{
    struct {
        int64_t key;
        uint64_t value;
    } pair;
    cpu_set_t wanted = {0};
    uint64_t set_size = a[2] < sizeof wanted ? a[2] : sizeof wanted;
    bool which = a[4] == WHICH_CPUS, all_match = true;

    if (a[4] & ~(uint64_t)WHICH_CPUS || (which && (!a[2] || !a[3])) || (!which && !a[2] != !a[3]))
        return -EINVAL;
    if (a[3] && copy_from_guest(t, &wanted, a[3], set_size))
        return -EFAULT;
    if (a[3] && !which && CPU_COUNT(&wanted) == 0)
        return -EINVAL;
    for (uint64_t i = 0; i < a[1]; i++) {
        uint64_t at = a[0] + i * sizeof pair, have = 0;
        if (copy_from_guest(t, &pair, at, sizeof pair))
            return -EFAULT;
        bool known = probe(pair.key, &have);
        if (which) {
            all_match = all_match && known && matches(pair.key, have, pair.value);
            if (known)
                continue;
        }
        pair.key = known ? pair.key : -1;
        pair.value = have;
        if (copy_to_guest(t, at, &pair, sizeof pair))
            return -EFAULT;
    }
    if (!which)
        return 0;
    cpu_set_t online = {0};
    int64_t n = host_call(SYS_sched_getaffinity, 0, sizeof online, &online);
    if (n < 0)
        return n;
    if (CPU_COUNT(&wanted) == 0)
        wanted = online;
    CPU_AND(&wanted, &wanted, &online);
    if (!all_match)
        CPU_ZERO(&wanted);
    return copy_to_guest(t, a[3], &wanted, set_size) ? -EFAULT : 0;
}

/*
 * PR_RISCV_SET_ICACHE_FLUSH_CTX (Documentation/arch/riscv/cmodx.rst) lets a program use fence.i by itself wherever its
 * threads run. It always may here: fence.i acts on all of the process's translations.
 */
enum { SET_ICACHE_FLUSH_CTX = 71, LAST_CTX = 1, LAST_SCOPE = 1 };

int64_t rv64_prctl(const uint64_t a[6])
{
    return (int)a[0] == SET_ICACHE_FLUSH_CTX && a[1] <= LAST_CTX && a[2] <= LAST_SCOPE ? 0 : -EINVAL;
}
