/* /proc/cpuinfo of an aarch64 machine: names and order of the features as in the kernel's arch/arm64 documentation. */
#include "linux-user/aarch64/cpuinfo.h"

#include <stdio.h>

#include "base/bits.h"

/* By bit of AT_HWCAP, then of AT_HWCAP2 (Documentation/arch/arm64/elf_hwcaps.rst). */
static const char *const hwcap_names[] = {
    "fp",     "asimd", "evtstrm", "aes",    "pmull",   "sha1",     "sha2",   "crc32",  "atomics", "fphp",  "asimdhp",
    "cpuid",  "asimdrdm", "jscvt", "fcma",  "lrcpc",   "dcpop",    "sha3",   "sm3",    "sm4",     "asimddp", "sha512",
    "sve",    "asimdfhm", "dit",  "uscat",  "ilrcpc",  "flagm",    "ssbs",   "sb",     "paca",    "pacg",
};
static const char *const hwcap2_names[] = {
    "dcpodp", "sve2",  "sveaes", "svepmull", "svebitperm", "svesha3", "svesm4", "flagm2", "frint", "svei8mm",
    "svef32mm", "svef64mm", "svebf16", "i8mm", "bf16", "dgh", "rng", "bti", "mte", "ecv", "afp", "rpres",
};

static void print_names(int fd, const char *const *names, unsigned n, uint64_t bits)
{
    for (unsigned i = 0; i < n; i++)
        if (bits >> i & 1)
            dprintf(fd, " %s", names[i]);
}

void a64_print_cpuinfo(int fd, unsigned ncpus, uint64_t hwcap, uint64_t hwcap2, uint32_t midr)
{
    for (unsigned i = 0; i < ncpus; i++) {
        dprintf(fd, "processor\t: %u\nBogoMIPS\t: 100.00\nFeatures\t:", i);
        print_names(fd, hwcap_names, ARRAY_SIZE(hwcap_names), hwcap);
        print_names(fd, hwcap2_names, ARRAY_SIZE(hwcap2_names), hwcap2);
        dprintf(fd,
                "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\nCPU part\t: 0x%03x\n"
                "CPU revision\t: %u\n\n",
                midr >> 24, midr >> 20 & 15, midr >> 4 & 0xfff, midr & 15);
    }
}
